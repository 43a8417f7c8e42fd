//! `landfall simulator` as a process beside `landfall serve`: two books, one kill -9, and nothing lost.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Child;

use crate::server::Place;

const ADMIN_TOKEN: &str = "an-admin-token-of-tests";

/// The usual routes, the first of which leads to the simulator.
const CONFIGURATION: &str = r#"
[providers.http]
inner_networks = ["127.0.0.0/8"]

[[gateway.provider_accounts]]
code = "sandbox-a"
provider = "http"
mode = "test"
settings = { base_url = "BASE", account = "house" }
credentials_env = { api_key = "TEST_API_KEY", callback_secret = "TEST_CALLBACK_SECRET" }

[[gateway.provider_accounts]]
code = "sandbox-b"
provider = "test"
mode = "test"
"#;

struct Simulator {
    child: Child,
    address: SocketAddr,
}

impl Simulator {
    async fn start(place: &Place, address: SocketAddr) -> Self {
        let child = place
            .command(&["simulator", "--listen", &address.to_string(), "--admin-token", ADMIN_TOKEN])
            .spawn()
            .unwrap();
        let simulator = Self { child, address };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return simulator;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the simulator did not listen");
    }

    async fn ledger(&self) -> Vec<Value> {
        let client = reqwest::Client::builder().build().unwrap();
        let url = format!("http://{}/admin/ledger", self.address);
        let ledger: Value = client.get(url).bearer_auth(ADMIN_TOKEN).send().await.unwrap().json().await.unwrap();
        ledger["payments"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_is_paid_through_the_simulator_whose_ledger_outlives_a_kill() {
    let mut place = Place::new().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = place.path().join("landfall.toml");
    let base = format!("http://{address}");
    std::fs::write(&file, CONFIGURATION.replace("BASE", &base)).unwrap();
    place.set("LANDFALL_CONFIG", file.to_str().unwrap());
    for (name, value) in [
        ("TEST_API_KEY", "a-key-of-tests"),
        ("TEST_CALLBACK_SECRET", "a-secret-of-tests"),
        ("LANDFALL_SIMULATOR_API_KEY", "a-key-of-tests"),
        ("LANDFALL_SIMULATOR_CALLBACK_SECRET", "a-secret-of-tests"),
    ] {
        place.set(name, value);
    }
    let mut simulator = Simulator::start(&place, address).await;
    place.says(&["fund", "--user", "alice", "--asset", "USDT", "--amount", "1000"]).await;
    let token = place.says(&["token", "--user", "alice", "--kyc", "1"]).await;
    let server = place.serve("api,worker").await;
    let offer = server.offer(&token).await;
    server.pay(&token, &offer).await;
    assert_eq!(server.outcome(&token, &offer).await["status"], "SUCCESS");
    let before = simulator.ledger().await;
    assert_eq!((before.len(), &before[0]["status"], &before[0]["last_four"]), (1, &"processed".into(), &"1111".into()));
    let ours = place.test_db.count("SELECT count(*) FROM payout WHERE status = 'processed'").await;
    assert_eq!((ours, place.test_db.count("SELECT count(*) FROM test_payment").await), (1, 0));

    simulator.child.kill().await.unwrap();
    // A crash in the middle of a line: nobody was told of that payment.
    let journal = place.path().join("simulator/ledger.jsonl");
    let whole = std::fs::read(&journal).unwrap();
    assert!(!String::from_utf8_lossy(&whole).contains("4111111111111111"));
    std::fs::write(&journal, [whole.as_slice(), b"{\"record\":\"taken\",\"paym"].concat()).unwrap();
    let again = Simulator::start(&place, address).await;
    assert_eq!(again.ledger().await, before);
    let offer = server.offer(&token).await;
    server.pay(&token, &offer).await;
    assert_eq!(server.outcome(&token, &offer).await["status"], "SUCCESS");
    assert_eq!(again.ledger().await.len(), 2);
    assert!(server.stop().await.success());
    let report = place.says(&["verify"]).await;
    assert!(!report.contains("BROKEN"), "{report}");
}
