//! Each source against what its documentation shows.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::vault::keys::kms::tests::settings;
use crate::vault::keys::stage::{Asked, Reply, Stage, nobody};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let pairs: BTreeMap<String, String> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Arc::new(move |name| pairs.get(name).cloned())
}

fn credentials(source: KmsCredentials, pairs: &[(&str, &str)]) -> Credentials {
    let settings = KmsSettings { credentials: source, ..settings("http://127.0.0.1:1", "k", "m") };
    Credentials::new(&settings, variables(pairs)).unwrap()
}

fn told(keys: &Keys) -> (&str, &str, Option<&str>) {
    let token = keys.session_token.as_ref().map(|token| token.expose_secret());
    (&keys.access_key_id, keys.secret_access_key.expose_secret(), token)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn lent_until(until: &str) -> Reply {
    Reply::Json(
        200,
        json!({"Code": "Success", "AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "Expiration": until}),
    )
}

const NOW: &str = "2026-11-22T12:00:00Z";

#[tokio::test]
async fn keys_of_the_environment_are_whole_or_refused() {
    let pairs = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
    for (n, expected) in [(3, Some(("AKID", "s", Some("t")))), (2, Some(("AKID", "s", None))), (1, None), (0, None)] {
        let keys = credentials(KmsCredentials::Environment, &pairs[..n]).get(at(NOW)).await;
        assert_eq!(keys.as_ref().ok().map(told), expected);
        assert!(keys.is_ok() || matches!(keys, Err(KeyError::Misconfigured(_))));
    }
}

#[tokio::test]
async fn a_profile_is_read_at_each_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    write(
        &path,
        "# ours\n[default]\naws_access_key_id = AKID\naws_secret_access_key=s=1\n\n[ other ]\naws_access_key_id=OTHER\n; no secret\n",
    );
    let name = path.to_str().unwrap();
    let ours = credentials(KmsCredentials::File, &[("AWS_SHARED_CREDENTIALS_FILE", name)]);
    assert_eq!(told(&ours.get(at(NOW)).await.unwrap()), ("AKID", "s=1", None));
    let pairs = [("AWS_SHARED_CREDENTIALS_FILE", name), ("AWS_PROFILE", "other")];
    assert!(matches!(credentials(KmsCredentials::File, &pairs).get(at(NOW)).await, Err(KeyError::Misconfigured(_))));
    write(&path, "[default]\naws_access_key_id = NEW\naws_secret_access_key = s\naws_session_token = t\n");
    assert_eq!(told(&ours.get(at(NOW)).await.unwrap()), ("NEW", "s", Some("t")));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
    assert!(ours.get(at(NOW)).await.is_err());
}

#[tokio::test]
async fn an_instance_is_asked_by_version_two_and_again_before_the_end() {
    let until = Arc::new(Mutex::new("2026-11-22T18:00:00Z".to_owned()));
    let lent = Arc::clone(&until);
    let stage = Stage::open(move |asked: &Asked| {
        let has_token = asked.header("x-aws-ec2-metadata-token") == Some("a-session");
        match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", "/latest/api/token") => {
                assert_eq!(asked.header("x-aws-ec2-metadata-token-ttl-seconds"), Some("21600"));
                Reply::Text(200, "a-session".to_owned())
            }
            ("GET", "/latest/meta-data/iam/security-credentials/") if has_token => {
                Reply::Text(200, "a-role".to_owned())
            }
            ("GET", "/latest/meta-data/iam/security-credentials/a-role") if has_token => {
                lent_until(&lent.lock().unwrap())
            }
            _ => Reply::Text(401, String::new()),
        }
    })
    .await;
    let ours = credentials(KmsCredentials::Instance, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &stage.url)]);
    let first = ours.get(at(NOW)).await.unwrap();
    assert_eq!(told(&first), ("ASIA", "s", Some("t")));
    ours.get(at("2026-11-22T17:54:00Z")).await.unwrap();
    assert_eq!(stage.asked().len(), 3, "they still hold");
    *until.lock().unwrap() = "2026-11-23T00:00:00Z".to_owned();
    ours.get(at("2026-11-22T17:56:00Z")).await.unwrap();
    assert_eq!(stage.asked().len(), 6);
    // Nobody answers any more: the last ones hold to their end and no longer.
    drop(stage);
    assert!(ours.get(at("2026-11-22T23:59:00Z")).await.is_ok());
    assert!(ours.get(at("2026-11-23T00:00:01Z")).await.is_err());
    ours.forget(&first).await;
    assert!(ours.get(at("2026-11-22T18:00:00Z")).await.is_err());
}

#[tokio::test]
async fn a_container_is_asked_with_its_token_and_at_its_host_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "a-token\n").unwrap();
    let stage = Stage::open(|asked: &Asked| match asked.header("authorization") {
        Some("a-token") if asked.path == "/v1/credentials" => lent_until("2026-11-22T18:00:00Z"),
        _ => Reply::Text(403, String::new()),
    })
    .await;
    let url = format!("{}/v1/credentials", stage.url);
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str());
    let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path.to_str().unwrap());
    let text = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a-token");
    for pairs in [[full, file], [full, text]] {
        let keys = credentials(KmsCredentials::Container, &pairs).get(at(NOW)).await.unwrap();
        assert_eq!(told(&keys), ("ASIA", "s", Some("t")));
    }
    let refused = credentials(KmsCredentials::Container, &[full]).get(at(NOW)).await;
    assert!(matches!(refused, Err(KeyError::Unavailable(_))));
    for elsewhere in ["http://example.com/", "http://10.0.0.1/", "ftp://169.254.170.2/", "nonsense"] {
        let pairs = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", elsewhere), text];
        let refused = credentials(KmsCredentials::Container, &pairs).get(at(NOW)).await;
        assert!(matches!(refused, Err(KeyError::Misconfigured(_))), "{elsewhere}");
    }
    for here in [
        "http://169.254.170.2/x",
        "http://169.254.170.23/v1",
        "http://[fd00:ec2::23]/v1",
        "http://[::1]:1/",
        "https://any.example/",
    ] {
        assert!(may_be_asked(here), "{here}");
    }
}

#[tokio::test]
async fn a_web_identity_becomes_a_role() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "a.web+identity").unwrap();
    let stage = Stage::open(|asked: &Asked| {
        let body = String::from_utf8(asked.body.clone()).unwrap();
        let expected = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15\
                        &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fcards&RoleSessionName=landfall\
                        &WebIdentityToken=a.web%2Bidentity";
        if body != expected {
            return Reply::Text(400, format!("<ErrorResponse>{body}</ErrorResponse>"));
        }
        Reply::Text(
            200,
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>t</SessionToken>\
             <SecretAccessKey>s</SecretAccessKey><Expiration>2026-11-22T18:00:00Z</Expiration>\
             <AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
                .to_owned(),
        )
    })
    .await;
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/cards");
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", path.to_str().unwrap());
    let of = |sts: &str, pairs: &[(&str, &str)]| {
        let settings = KmsSettings {
            credentials: KmsCredentials::WebIdentity,
            sts_endpoint: Some(sts.to_owned()),
            ..settings("http://127.0.0.1:1", "k", "m")
        };
        Credentials::new(&settings, variables(pairs)).unwrap()
    };
    let ours = of(&stage.url, &[role, token]);
    assert_eq!(told(&ours.get(at(NOW)).await.unwrap()), ("ASIA", "s", Some("t")));
    assert_eq!(ours.get(at(NOW)).await.unwrap().expires_at, Some(at("2026-11-22T18:00:00Z")));
    assert_eq!(stage.asked().len(), 1);
    let other = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other");
    assert!(matches!(of(&stage.url, &[other, token]).get(at(NOW)).await, Err(KeyError::Denied(_))));
    assert!(matches!(of(&stage.url, &[role]).get(at(NOW)).await, Err(KeyError::Misconfigured(_))));
    assert!(matches!(of(&nobody().await, &[role, token]).get(at(NOW)).await, Err(KeyError::Unavailable(_))));
}
