//! An installation of its own for the walk: a private cluster, `landfall serve` with every crate at TRACE, a simulator beside it, and
//! providers that repeat in every answer what they were sent. Everything that is written lies in one folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall::domain::ids::Tenant;
use landfall::store::cluster::{ClusterOptions, PrivateCluster};
use landfall::vault::DekId;
use landfall::vault::keys::{DekContext, FileKeys, KeyProvider, MacPurpose, WrappedDek};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::needles::{Secret, card_number};
use crate::stage::{Answer, Seen, Stage};

/// The shipped services, with one beside them for each provider, so that a request says whom it meets.
const DEFAULTS: &str = include_str!("../../../config/default.toml");
const SHIPPED: &str = r#"codes = ["card_eur", "card_usd", "card_gbp"]"#;
pub const SERVICES: [(&str, &str); 5] = [
    ("simulated_eur", "EUR"),
    ("adyen_eur", "EUR"),
    ("checkout_eur", "EUR"),
    ("tabapay_usd", "USD"),
    ("worldpay_gbp", "GBP"),
];
const DATABASE: &str = "landfall";
const BALANCE_ACCOUNT: &str = "BA00000000000000000000001";

pub struct Ground {
    dir: tempfile::TempDir,
    pub cluster: PrivateCluster,
    environment: Vec<(&'static str, String)>,
    stages: Vec<(&'static str, Stage)>,
    pub simulator: SocketAddr,
    server_at: SocketAddr,
    /// What the providers are to repeat, beside what they are sent.
    pub repeated: Arc<Mutex<Vec<String>>>,
    pub numbers: BTreeMap<&'static str, String>,
    pub secrets: Vec<Secret>,
}

/// Numbers that nobody writes by chance. Those of one scheme differ in the middle, which is what has to stay unknown.
fn numbers() -> BTreeMap<&'static str, String> {
    [
        ("of a wallet's card", "427138905461720"),
        ("of a wallet's other card", "537916204835901"),
        ("of a request", "427138614907253"),
        ("of an American Express card", "37284619503718"),
        ("of a batch", "427138537204916"),
        ("that is mistyped", "427138250691843"),
        ("where none belongs", "427138791350264"),
        ("in a callback", "537916738150426"),
        ("in a report", "537916081947352"),
        ("in a path", "427138469173058"),
        ("in a header", "427138325809147"),
        ("in a form", "537916640273915"),
        ("on a block list", "427138173590682"),
        ("that is planted", "537916405918273"),
    ]
    .map(|(name, digits)| (name, card_number(digits)))
    .into()
}

impl Ground {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The database's user enters it too.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let numbers = numbers();
        let mut secrets: Vec<Secret> =
            numbers.iter().map(|(name, digits)| Secret::number(&format!("the number {name}"), digits)).collect();
        let repeated: Arc<Mutex<Vec<String>>> = Arc::default();
        let stages: Vec<(&'static str, Stage)> = ["adyen", "checkout", "tabapay", "worldpay"]
            .map(|name| {
                let repeated = Arc::clone(&repeated);
                let calls = AtomicUsize::new(0);
                let script =
                    move |seen: &Seen| echoed(seen, &repeated.lock().unwrap(), calls.fetch_add(1, Ordering::Relaxed));
                (name, Stage::open(script))
            })
            .into();
        let (simulator, server_at) = (free_address(), free_address());
        let mut environment = vec![
            ("LANDFALL__TELEMETRY__LEVEL", "trace".to_owned()),
            ("LANDFALL__TELEMETRY__FORMAT", "json".to_owned()),
            ("LANDFALL__DATA_DIR", dir.path().join("data").display().to_string()),
            ("LANDFALL__DATABASE__NAME", DATABASE.to_owned()),
            ("LANDFALL__DATABASE__POOL_SIZE", "4".to_owned()),
            ("LANDFALL__WORKER__POLL_MS", "20".to_owned()),
            ("LANDFALL__WORKER__HOUSEKEEPING_MS", "500".to_owned()),
            ("LANDFALL__GATEWAY__BALANCE_SYNC_SECS", "1".to_owned()),
            ("LANDFALL__GATEWAY__ACCOUNT_CHECK_SECS", "1".to_owned()),
            ("LANDFALL__GATEWAY__RECONCILE_EVERY_SECS", "2".to_owned()),
            ("LANDFALL_CONFIG", dir.path().join("landfall.toml").display().to_string()),
            ("RUST_BACKTRACE", "full".to_owned()),
        ];
        for (name, stage) in &stages {
            let variable = match *name {
                "adyen" => "LANDFALL__PROVIDERS__ADYEN__TEST_URL",
                "checkout" => "LANDFALL__PROVIDERS__CHECKOUT__TEST_URL",
                "tabapay" => "LANDFALL__PROVIDERS__TABAPAY__TEST_URL",
                _ => "LANDFALL__PROVIDERS__WORLDPAY__TEST_URL",
            };
            environment.push((variable, stage.url.clone()));
        }
        for variable in [
            "LANDFALL__PROVIDERS__ADYEN__SETTLING_TIME_MS",
            "LANDFALL__PROVIDERS__CHECKOUT__SETTLING_TIME_MS",
            "LANDFALL__PROVIDERS__TABAPAY__SETTLING_TIME_MS",
            "LANDFALL__PROVIDERS__WORLDPAY__SETTLING_TIME_MS",
        ] {
            environment.push((variable, "100".to_owned()));
        }
        let hmac = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
        for (variable, secret) in [
            ("CANARY_SIMULATOR_KEY", "canary-simulator-key-Zq81"),
            ("CANARY_SIMULATOR_SECRET", "canary-simulator-secret-Vx27"),
            ("CANARY_ADYEN_KEY", "canary-adyen-key-Lm93"),
            ("CANARY_ADYEN_HMAC", hmac),
            ("CANARY_CHECKOUT_KEY", "sk_sbox_canary_checkout_Jw64"),
            ("CANARY_CHECKOUT_SIGNATURE", "canary-checkout-signature-Hp50"),
            ("CANARY_TABAPAY_TOKEN", "canary-tabapay-token-Ru16"),
            ("CANARY_WORLDPAY_USER", "canary-worldpay-user"),
            ("CANARY_WORLDPAY_PASSWORD", "canary-worldpay-password-Ks72"),
            ("LANDFALL_SIMULATOR_ADMIN_TOKEN", "canary-simulator-admin-Tn38"),
        ] {
            environment.push((variable, secret.to_owned()));
            if variable != "CANARY_WORLDPAY_USER" {
                secrets.push(Secret::text(variable, secret));
            }
        }
        secrets.push(Secret::key("CANARY_ADYEN_HMAC, as bytes", &hex::decode(hmac).unwrap()));
        environment.push(("LANDFALL_SIMULATOR_API_KEY", "canary-simulator-key-Zq81".to_owned()));
        environment.push(("LANDFALL_SIMULATOR_CALLBACK_SECRET", "canary-simulator-secret-Vx27".to_owned()));
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("landfall.toml"), configuration(simulator)).unwrap();

        let cluster =
            PrivateCluster::start_or_join(&ClusterOptions::new(dir.path().join("data/postgres"))).await.unwrap();
        cluster.ensure_database(DATABASE).await.unwrap();
        let ground = Self { dir, cluster, environment, stages, simulator, server_at, repeated, numbers, secrets };
        // Every statement, every error with its details and the parameters of the statement that failed. Those of all others aren't: they have
        // whatever callers asked for, as somebody's reference or id. Nothing is compressed.
        ground
            .execute(
                "ALTER ROLE landfall SET log_statement = 'all'; ALTER ROLE landfall SET log_min_messages = 'debug1'; \
                 ALTER ROLE landfall SET log_min_error_statement = 'error'; ALTER ROLE landfall SET log_error_verbosity = 'verbose'; \
                 ALTER ROLE landfall SET log_min_duration_statement = 0; ALTER ROLE landfall SET log_parameter_max_length = 0; \
                 ALTER ROLE landfall SET log_parameter_max_length_on_error = 1000000; ALTER ROLE landfall SET wal_compression = off",
            )
            .await;
        ground
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn number(&self, name: &str) -> &str {
        &self.numbers[name]
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.args(arguments).current_dir(self.path()).env_remove("DATABASE_URL").kill_on_drop(true);
        command.stdin(Stdio::null()).envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// Runs a command; what it says to standard error is a log like any other.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().await.unwrap();
        let log = self.path().join(format!("command-{}.log", uuid::Uuid::now_v7().simple()));
        fs::write(log, &output.stderr).unwrap();
        output
    }

    pub async fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("")
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A process whose standard error is the log of that name.
    pub fn start(&self, arguments: &[&str], log: &str) -> Child {
        let log = File::create(self.path().join(format!("{log}.log"))).unwrap();
        self.command(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub async fn serve(&self) -> (Child, String) {
        let server = self.start(&["serve", "--demo", "--listen", &self.server_at.to_string()], "serve");
        let url = format!("http://{}", self.server_at);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        // The demonstration ends with the account of staff.
        let admin = self.path().join("data/keys/dashboard-admin.txt");
        for _ in 0..600 {
            let ready = client.get(format!("{url}/health/ready")).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) && admin.exists() {
                return (server, url);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = fs::read_to_string(self.path().join("serve.log")).unwrap_or_default();
        let errors: Vec<&str> = log.lines().filter(|line| !line.contains(r#""level":"TRACE""#)).collect();
        panic!("the server did not become ready:\n{}", errors[errors.len().saturating_sub(20)..].join("\n"));
    }

    pub fn provider_calls(&self) -> BTreeMap<&'static str, usize> {
        self.stages
            .iter()
            .map(|(name, stage)| (*name, stage.seen().iter().filter(|seen| seen.is_order()).count()))
            .collect()
    }

    async fn client(&self) -> tokio_postgres::Client {
        let url = self.cluster.database_url(DATABASE).unwrap();
        let (client, driver) = url.config().connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(driver);
        client
    }

    pub async fn execute(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    pub async fn query(&self, sql: &str) -> Vec<String> {
        self.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Every row of every table as text, by table.
    pub async fn dump(&self) -> Vec<(String, String)> {
        let tables =
            self.query("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").await;
        let mut dump = Vec::new();
        for table in tables {
            let rows = self.query(&format!("SELECT t::text FROM {table} t")).await;
            dump.push((table, rows.join("\n")));
        }
        dump
    }

    /// The key-encryption key and the roots out of their file, what is derived from them, and each data key, unwrapped.
    pub async fn keys(&self) -> Vec<Secret> {
        let path = self.key_file();
        let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let mut keys = Vec::new();
        in_file(&file, &mut keys);
        assert!(keys.len() >= 3, "a key-encryption key and two roots");
        let provider = FileKeys::open(&path).unwrap();
        for purpose in MacPurpose::ALL {
            keys.push(Secret::key(
                &format!("the MAC key {purpose:?}"),
                provider.mac_key(purpose).await.unwrap().key.expose(),
            ));
        }
        let sql = "SELECT id, partner_id, mode, epoch, kek_id, wrapped FROM dek";
        for row in self
            .client()
            .await
            .query("SELECT id::text, partner_id::text, mode, epoch, kek_id, wrapped FROM dek", &[])
            .await
            .expect(sql)
        {
            let text = |n: usize| row.get::<_, String>(n);
            let tenant = Tenant {
                partner_id: landfall::domain::ids::PartnerId(text(1).parse().unwrap()),
                mode: text(2).parse().unwrap(),
            };
            let context = DekContext { dek_id: DekId(text(0).parse().unwrap()), tenant, epoch: row.get(3) };
            let wrapped = WrappedDek { kek_id: text(4), bytes: row.get(5) };
            let key = provider.unwrap(&wrapped, &context).await.unwrap();
            keys.push(Secret::key("a data key", key.expose()));
        }
        keys
    }

    fn key_file(&self) -> PathBuf {
        let keys = self.path().join("data/keys");
        fs::read_dir(keys)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("\"keks\"")))
            .expect("a key file")
    }
}

/// Every text of the key file that is 32 bytes in base64.
fn in_file(value: &Value, keys: &mut Vec<Secret>) {
    use base64::Engine;
    match value {
        Value::String(text) => {
            if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text)
                && bytes.len() == 32
            {
                keys.push(Secret::key(&format!("key {} of the key file", keys.len()), &bytes));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| in_file(item, keys)),
        Value::Object(fields) => fields.values().for_each(|field| in_file(field, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A provider that answers each call in another way, and repeats what it was sent wherever an adapter may look.
fn echoed(seen: &Seen, repeated: &[String], call: usize) -> Answer {
    if seen.path.contains("/balanceAccounts/") {
        // Nothing is sent over an account whose balance was never told.
        let balances = json!([{"available": 100_000_000, "balance": 100_000_000, "currency": "EUR", "reserved": 0}]);
        let account =
            json!({"id": BALANCE_ACCOUNT, "status": "active", "balances": balances, "description": repeated.join(" ")});
        return Answer::json(200, &account);
    }
    let body = String::from_utf8_lossy(&seen.body).into_owned();
    let all = format!("{} {body}", repeated.join(" "));
    let number = repeated.iter().find(|number| body.contains(number.as_str())).cloned().unwrap_or_default();
    // A question is never refused: an account whose credentials are is left alone, and nothing more would be sent.
    let (status, text) = [
        (422, format!("{number} is no card; {all}")),
        (
            400,
            format!(
                "{} is refused",
                number.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(".")
            ),
        ),
        (200, number.clone()),
        (500, all.clone()),
        (
            403,
            format!(
                "card%20{}",
                number.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("%20")
            ),
        ),
        (201, format!("weird {number}")),
        (429, hex::encode(&number)),
    ][if seen.is_order() { call % 7 } else { [2, 3, 5, 6][call % 4] }]
    .clone();
    if status == 500 {
        let headers = vec![("Content-Type".to_owned(), "text/html".to_owned()), ("X-Echo".to_owned(), number)];
        return Answer { status, headers, body: format!("<h1>{text}</h1>").into_bytes(), after: Duration::ZERO };
    }
    let id = if call.is_multiple_of(2) { number.clone() } else { format!("id-{number}") };
    let answer = json!({
        "id": id, "transactionID": number, "paymentId": id, "pspReference": number, "reference": seen.json()["reference"],
        "status": text, "outcome": text, "message": text, "detail": text, "title": text, "errorCode": number, "errorType": text,
        "error_type": text, "error_codes": [text, number], "errorName": text, "name": text, "code": number, "EC": number, "EM": text,
        "SC": status, "networkRC": number, "networkID": number, "approvalCode": number, "response_code": number,
        "response_summary": text, "reason": text, "requestId": number, "request_id": number, "rrn": number, "arn": number,
        "invalidFields": [{"name": "counterparty.cardIdentification.number", "value": number, "InvalidValue": number, "message": text}],
        "validationErrors": [{"errorName": text, "message": text, "jsonPath": format!("$.{number}")}],
        "refusalCode": number, "refusalDescription": text, "_links": {"self": {"href": format!("https://provider.example/{number}")}},
        "echo": all,
    });
    let mut answer = Answer::json(status, &answer);
    answer.headers.push(("X-Echo".to_owned(), number));
    answer
}

fn configuration(simulator: SocketAddr) -> String {
    let (_, services) = DEFAULTS.split_once("[[gateway.services]]").unwrap();
    let (services, _) = services.split_once("\n[worker]").unwrap();
    let codes: Vec<String> = SERVICES.iter().map(|(code, _)| format!("{code:?}")).collect();
    assert!(services.contains(SHIPPED));
    let services = services.replace(SHIPPED, &SHIPPED.replace(']', &format!(", {}]", codes.join(", "))));
    let mut text = format!(
        r#"
[gateway]
attempts_limit = 5
inquiry_intervals_ms = [100, 200, 400]

[[gateway.provider_accounts]]
code = "simulated"
provider = "http"
mode = "test"
settings = {{ base_url = "http://{simulator}", account = "house" }}
credentials_env = {{ api_key = "CANARY_SIMULATOR_KEY", callback_secret = "CANARY_SIMULATOR_SECRET" }}
[[gateway.provider_accounts]]
code = "sandbox"
provider = "test"
mode = "test"
[[gateway.provider_accounts]]
code = "adyen"
provider = "adyen"
mode = "test"
settings = {{ balance_account_id = "BA00000000000000000000001" }}
credentials_env = {{ api_key = "CANARY_ADYEN_KEY", hmac_key = "CANARY_ADYEN_HMAC" }}
[[gateway.provider_accounts]]
code = "checkout"
provider = "checkout"
mode = "test"
settings = {{ currency_account_id = "ca_y3oqhf46pyzuxjbcn2giaqnb44", processing_channel_id = "pc_hpswyyx23geezflc2ocz3exn4y", funds_transfer_type = "FD" }}
credentials_env = {{ secret_key = "CANARY_CHECKOUT_KEY", webhook_signature_key = "CANARY_CHECKOUT_SIGNATURE" }}
[[gateway.provider_accounts]]
code = "tabapay"
provider = "tabapay"
mode = "test"
settings = {{ client_id = "TabaPay_Client_22Chars", settlement_account_id = "SettlementAccountID_22" }}
credentials_env = {{ bearer_token = "CANARY_TABAPAY_TOKEN" }}
[[gateway.provider_accounts]]
code = "worldpay"
provider = "worldpay"
mode = "test"
settings = {{ entity = "default", method = "fast_access", narrative = "STATEMENT" }}
credentials_env = {{ username = "CANARY_WORLDPAY_USER", password = "CANARY_WORLDPAY_PASSWORD" }}
"#
    );
    for (account, currency) in [
        ("simulated", "EUR"),
        ("sandbox", "EUR"),
        ("sandbox", "USD"),
        ("sandbox", "GBP"),
        ("adyen", "EUR"),
        ("checkout", "EUR"),
        ("tabapay", "USD"),
        ("worldpay", "GBP"),
    ] {
        text.push_str(&format!(
            "[[gateway.deposit_accounts]]\ncode = \"{account}-{}\"\nprovider_account = \"{account}\"\ncurrency = \"{currency}\"\n\
             initial_balance = \"1000000\"\n",
            currency.to_lowercase()
        ));
    }
    let shipped =
        [("card_eur", "EUR"), ("card_usd", "USD"), ("card_gbp", "GBP"), ("test_usd", "USD"), ("test_eur", "EUR")];
    let ours = SERVICES.iter().map(|(code, currency)| (*code, code.split('_').next().unwrap(), *currency));
    for (position, (service, account, currency)) in
        shipped.iter().map(|(code, currency)| (*code, "sandbox", *currency)).chain(ours).enumerate()
    {
        text.push_str(&format!(
            "[[gateway.routes]]\ncode = \"{service}\"\nservice = \"{service}\"\ndeposit_account = \"{account}-{}\"\n\
             amount_min = \"0.01\"\namount_max = \"5000\"\nposition = {}\n",
            currency.to_lowercase(),
            position + 1
        ));
    }
    format!("{text}\n[[gateway.services]]{services}\n")
}
