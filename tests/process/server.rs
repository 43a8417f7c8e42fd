//! A `landfall` process over a database of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::support::{TestDb, canary};

/// A data folder and a database that processes share, one after another or at once.
pub struct Place {
    pub test_db: TestDb,
    pub dir: tempfile::TempDir,
    pub settings: Vec<(&'static str, String)>,
}

impl Place {
    pub async fn new() -> Self {
        Self { test_db: TestDb::new().await, dir: tempfile::tempdir().unwrap(), settings: Vec::new() }
    }

    /// A setting of every process to come, by its environment variable.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("DATABASE_URL", self.test_db.url())
            .env("LANDFALL__DATABASE__POOL_SIZE", "4")
            .env("LANDFALL__TELEMETRY__LEVEL", "warn")
            .env("LANDFALL__DATA_DIR", self.dir.path())
            .env_remove("LANDFALL_CONFIG")
            .kill_on_drop(true)
            .stdin(Stdio::null());
        for (name, value) in &self.settings {
            command.env(name, value);
        }
        command
    }

    /// The command under a shell that lifts every limit of core dumps, and becomes it.
    pub fn shell(&self, arguments: &[&str]) -> Command {
        let direct = self.command(arguments);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_landfall")]).args(arguments);
        let environment = direct.as_std().get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(environment).env_remove("LANDFALL_CONFIG").current_dir(self.dir.path());
        command.kill_on_drop(true).stdin(Stdio::null());
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// What a command that succeeds prints.
    pub async fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        out.trim_end().to_owned()
    }

    pub async fn serve(&self, roles: &str) -> Server {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = self.command(&["serve", "--listen", &address.to_string(), "--roles", roles]);
        if let Some(log) = canary::log_of_child() {
            command.env("LANDFALL__TELEMETRY__LEVEL", "trace").stderr(log);
        }
        let child = command.spawn().unwrap();
        let server = Server { child, address, client: reqwest::Client::builder().build().unwrap() };
        server.wait_until_ready().await;
        server
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    client: reqwest::Client,
}

impl Server {
    async fn wait_until_ready(&self) {
        for _ in 0..200 {
            let answer = self.client.get(format!("http://{}/health/ready", self.address)).send().await;
            if answer.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server did not become ready");
    }

    /// kill -9: nothing is finished, nothing is told.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, and the exit status.
    pub async fn stop(mut self) -> std::process::ExitStatus {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await.unwrap().unwrap()
    }

    pub async fn call(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = self
            .client
            .request(method, format!("http://{}{path}", self.address))
            .bearer_auth(token)
            .header("Prefer", "wait=0");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// Adds a card and quotes 100 USDT to it; answers the offer's id.
    pub async fn offer(&self, token: &str) -> String {
        let card = json!({"cardNumber": 4_111_111_111_111_111_u64, "cardHolder": "ALICE EXAMPLE",
            "cardExpirationYear": 2035, "cardExpirationMonth": 12});
        let (status, card) = self.call(token, "POST", "/v4/payout/card", Some(card)).await;
        assert_eq!(status, 200, "{card}");
        let wish = json!({"amount": 100, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": card["cardId"]});
        let (status, offer) = self.call(token, "POST", "/v4/payout/offer", Some(wish)).await;
        assert_eq!(status, 200, "{offer}");
        offer["offerId"].to_string()
    }

    pub async fn pay(&self, token: &str, offer: &str) -> Value {
        let (status, paid) = self.call(token, "POST", &format!("/v4/payout/pay/{offer}"), None).await;
        assert_eq!(status, 200, "{paid}");
        paid
    }

    /// The payout's status once it is no longer pending.
    pub async fn outcome(&self, token: &str, offer: &str) -> Value {
        for _ in 0..600 {
            let (status, paid) = self.call(token, "GET", &format!("/v4/payout/pay/{offer}"), None).await;
            assert_eq!(status, 200, "{paid}");
            if paid["status"] != "PENDING" {
                return paid;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the payout stays pending");
    }
}
