//! The load: everything that moves money through the public APIs, a little of each, all at once, by clients that repeat what
//! wasn't answered. What was meant is written down, and held against what became of it.

use futures_util::future::{BoxFuture, join_all};
use landfall::clock::{Clock, SystemClock};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::client::{Call, Client, Who};
use super::ground::Ground;

pub const REQUESTS: &str = "/v1/payout-gateway/payout-requests";

/// Something that a client meant to have paid, and was told is taken.
#[derive(Clone, Debug)]
pub struct Intent {
    pub label: &'static str,
    pub what: What,
    /// How it may end. `moderated`: with a person.
    pub ends: &'static [&'static str],
}

#[derive(Clone, Debug)]
pub enum What {
    /// A partner's request, by its id.
    Request { id: String, funding: Funding },
    /// A wallet's offer.
    Offer { user: usize, id: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funding {
    Balance,
    OwnDeposit,
}

/// A wallet user with what was credited to them, in USDT.
#[derive(Clone)]
pub struct User {
    pub token: String,
    pub credited: Decimal,
}

/// What was meant and credited so far.
#[derive(Clone, Default)]
pub struct Meant {
    pub intents: Vec<Intent>,
    pub users: Vec<User>,
    /// The partner's balance, by currency.
    pub credited: Vec<(&'static str, Decimal)>,
}

impl Meant {
    pub fn join(&mut self, other: Meant) {
        let offset = self.users.len();
        self.users.extend(other.users);
        self.credited.extend(other.credited);
        self.intents.extend(other.intents.into_iter().map(|mut intent| {
            if let What::Offer { user, .. } = &mut intent.what {
                *user += offset;
            }
            intent
        }));
    }
}

/// One client's work. Its name is in every reference, so that runs don't meet.
#[derive(Clone)]
pub struct Load<'a> {
    pub ground: &'a Ground,
    pub client: Client,
    pub name: String,
}

fn id_of(answer: &Value) -> String {
    answer["data"]["id"].as_str().unwrap().to_owned()
}

fn document(kind: &str, attributes: &Value) -> Value {
    json!({ "data": { "type": kind, "attributes": attributes } })
}

/// A cancel that comes when it may have been sent: paid or not, by what the provider says; where that is nothing, a person decides.
const RACED: &[&str] = &["canceled", "processed", "moderated"];
const PAID: &[&str] = &["processed"];

impl Load<'_> {
    fn partner(&self, method: &'static str, path: impl Into<String>) -> Call<'static> {
        Call::new(Who::Partner, method, path)
    }

    fn of(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// Everything once.
    pub async fn all(&self) -> Meant {
        let mut meant = self.credit("USD", "40000").await;
        let parts: Vec<BoxFuture<'_, Meant>> = vec![
            Box::pin(self.wallet()),
            Box::pin(self.plain()),
            Box::pin(self.split()),
            Box::pin(self.canceled()),
            Box::pin(self.patched()),
            Box::pin(self.expired()),
            Box::pin(self.batch()),
            Box::pin(self.to_card()),
            Box::pin(self.single()),
            Box::pin(self.unnamed()),
            Box::pin(self.own_deposit()),
        ];
        for part in join_all(parts).await {
            meant.join(part);
        }
        meant
    }

    /// A little of it, over and over: for servers that are killed again and again.
    pub async fn some(&self, turn: u64) -> Meant {
        match turn % 6 {
            0 => self.wallet_one(0, "4111111111111111", &["SUCCESS"]).await,
            1 => self.test_request("plain", "5", json!({}), PAID).await,
            2 => {
                let rate = json!({ "test_details_success_rate": "50" });
                self.test_request("half", "6", rate, &["processed", "failed"]).await
            }
            3 => self.wallet_one(0, "4000000000130502", &["SUCCESS"]).await,
            4 => self.split_of("7000", true).await,
            _ => {
                let later = json!({ "test_details_payout_status": "pending" });
                self.test_request("later", "7", later, PAID).await
            }
        }
    }

    /// Money on the partner's balance, once.
    pub async fn credit(&self, currency: &'static str, amount: &str) -> Meant {
        let credit =
            json!({ "reference_id": self.of(&format!("credit-{currency}")), "currency": currency, "amount": amount });
        let call = self.partner("POST", "/v1/partner-accounts/credits").json(document("partner-credit", &credit));
        self.client.done(&call).await;
        Meant { credited: vec![(currency, amount.parse().unwrap())], ..Meant::default() }
    }

    async fn wallet(&self) -> Meant {
        let cards: [(&str, &'static [&'static str]); 8] = [
            ("4111111111111111", &["SUCCESS"]),
            ("4000000000130809", &["PARTIAL"]),
            ("4000000000130205", &["FAILED"]),
            ("4000000000130502", &["SUCCESS"]),
            // Never found: a person decides.
            ("4000000000130601", &["moderated"]),
            ("4000000000130106", &["SUCCESS"]),
            // What tells of a return may be lost with its sender.
            ("4000000000130908", &["RETURNED", "SUCCESS"]),
            ("4000000000131104", &["SUCCESS"]),
        ];
        let mut meant = Meant::default();
        let paid = cards.iter().enumerate().map(|(n, (card, ends))| self.wallet_one(n, card, ends));
        for one in join_all(paid).await {
            meant.join(one);
        }
        meant
    }

    async fn wallet_one(&self, n: usize, card: &str, ends: &'static [&'static str]) -> Meant {
        let name = self.of(&format!("user-{n}"));
        let token = self.ground.token(&name);
        let user = Who::User(&token);
        let credit = json!({ "reference_id": format!("{name}-credit"), "customer_reference_id": name, "asset": "USDT", "amount": "100" });
        let call = self.partner("POST", "/v1/wallet/credits").json(document("wallet-credit", &credit));
        self.client.done(&call).await;
        let card = json!({ "cardNumber": card, "cardHolder": "ADA EXAMPLE", "cardExpirationYear": 2035, "cardExpirationMonth": 12 });
        let call = Call::new(user, "POST", "/v4/payout/card").json(card).keyed(format!("{name}-card"));
        let card = self.client.done(&call).await;
        let wish = json!({ "amount": 40, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": card["cardId"] });
        let call = Call::new(user, "POST", "/v4/payout/offer").json(wish).keyed(format!("{name}-offer"));
        let offer = self.client.done(&call).await["offerId"].to_string();
        // An impatient thumb.
        let (one, two) = (
            Call::new(user, "POST", format!("/v4/payout/pay/{offer}")),
            Call::new(user, "POST", format!("/v4/payout/pay/{offer}")).keyed(format!("{name}-pay")),
        );
        tokio::join!(self.client.done(&one), self.client.done(&two));
        let intent = Intent { label: "wallet pay", what: What::Offer { user: 0, id: offer }, ends };
        Meant { intents: vec![intent], users: vec![User { token, credited: Decimal::ONE_HUNDRED }], ..Meant::default() }
    }

    /// A request of the given attributes, asked for twice at the same time.
    async fn asked(&self, label: &'static str, attributes: Value, ends: &'static [&'static str]) -> (Meant, String) {
        let call = self.partner("POST", REQUESTS).json(document("payout-request", &attributes));
        let (one, two) = tokio::join!(self.client.done(&call), self.client.done(&call));
        assert_eq!(one["data"]["id"], two["data"]["id"], "{label}: the same reference is two requests");
        let id = id_of(&one);
        let intent = Intent { label, what: What::Request { id: id.clone(), funding: Funding::Balance }, ends };
        (Meant { intents: vec![intent], ..Meant::default() }, id)
    }

    fn test_attributes(&self, reference: &str, amount: &str, more: Value) -> Value {
        let mut fields = json!({ "account": "somebody" });
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        json!({
            "point_id": self.ground.point, "point_currency": "USD", "service": "test_usd", "service_amount": amount,
            "reference_id": self.of(reference), "fields": fields,
        })
    }

    async fn test_request(
        &self,
        label: &'static str,
        amount: &str,
        fields: Value,
        ends: &'static [&'static str],
    ) -> Meant {
        self.asked(label, self.test_attributes(label, amount, fields), ends).await.0
    }

    async fn plain(&self) -> Meant {
        let how = |status: &str| json!({ "test_details_payout_status": status });
        let declined = json!({ "test_details_payout_resolution": "declined_error" });
        let lost =
            json!({ "test_details_payout_status": "failed", "test_details_payout_resolution": "connection_timeout" });
        let asked: Vec<BoxFuture<'_, Meant>> = vec![
            Box::pin(self.test_request("paid", "5", json!({}), PAID)),
            Box::pin(self.test_request(
                "half",
                "6",
                json!({ "test_details_success_rate": "50" }),
                &["processed", "failed"],
            )),
            Box::pin(self.test_request("declined", "7", declined, &["failed"])),
            Box::pin(self.test_request("pending", "8", how("pending"), PAID)),
            Box::pin(self.test_request("unknown", "9", how("unknown"), PAID)),
            Box::pin(self.test_request("returned", "11", how("returned"), &["returned", "processed"])),
            Box::pin(self.test_request("lost", "12", lost, &["moderated"])),
        ];
        let mut meant = Meant::default();
        for one in join_all(asked).await {
            meant.join(one);
        }
        meant
    }

    async fn split_of(&self, amount: &str, parallel: bool) -> Meant {
        let label = if parallel { "split" } else { "split in turn" };
        let mut attributes = self.test_attributes(&label.replace(' ', "-"), amount, json!({}));
        attributes["options"] = json!({ "split_mode": "auto", "parallel_mode": parallel });
        self.asked(label, attributes, PAID).await.0
    }

    async fn split(&self) -> Meant {
        let (mut one, two) = tokio::join!(self.split_of("7500", true), self.split_of("6100", false));
        one.join(two);
        one
    }

    /// Ended before it was sent, while it is, and by hand.
    async fn canceled(&self) -> Meant {
        let manual = |reference: &str| {
            let mut attributes = self.test_attributes(reference, "3", json!({}));
            attributes["options"] = json!({ "auto_process": false });
            attributes
        };
        let act = async |id: &str, verb: &str| {
            let call = self.partner("POST", format!("{REQUESTS}/{id}/{verb}"));
            let (status, body) = self.client.send(&call).await;
            // Too late, or done by the try whose answer was lost.
            assert!(status < 300 || status == 409, "{verb}: {status} {body}");
        };
        let (mut meant, id) = self.asked("canceled", manual("canceled"), &["canceled"]).await;
        act(&id, "cancel").await;
        let raced = self.test_attributes("raced", "3", json!({ "test_details_payout_status": "pending" }));
        let (more, id) = self.asked("canceled while sent", raced, RACED).await;
        act(&id, "cancel").await;
        meant.join(more);
        let (more, id) = self.asked("terminated", manual("terminated"), &["terminated"]).await;
        act(&id, "terminate").await;
        meant.join(more);
        let (more, id) = self.asked("processed by hand", manual("processed"), PAID).await;
        act(&id, "process").await;
        meant.join(more);
        meant
    }

    async fn patched(&self) -> Meant {
        let mut attributes = self.test_attributes("patched", "4", json!({}));
        attributes["fields"] = json!({});
        let (meant, id) = self.asked("waited for details", attributes, PAID).await;
        let change = document("payout-request", &json!({ "fields": { "account": "somebody" } }));
        let call = self.partner("PATCH", format!("{REQUESTS}/{id}")).json(change);
        let (status, body) = self.client.send(&call).await;
        assert!(status < 300 || status == 409, "patch: {status} {body}");
        meant
    }

    async fn expired(&self) -> Meant {
        let mut attributes = self.test_attributes("expired", "2", json!({}));
        let at = SystemClock.now() + chrono::TimeDelta::milliseconds(1500);
        attributes["options"] = json!({ "auto_process": false, "expires_at": at.to_rfc3339() });
        let call = self.partner("POST", REQUESTS).json(document("payout-request", &attributes));
        let (status, body) = self.client.send(&call).await;
        let id = if status == 422 {
            // It is too late now; a try that wasn't answered may have come in time, or may still.
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            let call = self.partner("GET", format!("{REQUESTS}?filter%5Breference_id%5D={}", self.of("expired")));
            let found = self.client.done(&call).await;
            let Some(id) = found["data"][0]["id"].as_str() else { return Meant::default() };
            id.to_owned()
        } else {
            assert!(status < 300, "{status} {body}");
            id_of(&body)
        };
        let what = What::Request { id, funding: Funding::Balance };
        Meant { intents: vec![Intent { label: "expired", what, ends: &["expired"] }], ..Meant::default() }
    }

    async fn batch(&self) -> Meant {
        let rows: String = (1..=3).map(|n| format!("test_usd,1{n},abc,{}\n", self.of(&format!("row-{n}")))).collect();
        let file = format!("service,service_amount,fields.account,reference_id\n{rows}");
        let path = format!("/v1/payout-gateway/batches?point_id={}&name=wages", self.ground.point);
        let call = self.partner("POST", path).csv(&file).keyed(self.of("batch"));
        let batch = id_of(&self.client.done(&call).await);
        let call = self.partner("POST", format!("/v1/payout-gateway/batches/{batch}/process")).keyed(self.of("go"));
        self.client.done(&call).await;
        let mut meant = Meant::default();
        for n in 1..=3 {
            let reference = self.of(&format!("row-{n}"));
            let call = self.partner("GET", format!("{REQUESTS}?filter%5Breference_id%5D={reference}"));
            let found = self.client.done(&call).await;
            let id = found["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{reference} is no request")).to_owned();
            let what = What::Request { id, funding: Funding::Balance };
            meant.intents.push(Intent { label: "batch", what, ends: PAID });
        }
        meant
    }

    async fn to_card(&self) -> Meant {
        let mut meant = self.credit("EUR", "100").await;
        let attributes = json!({
            "point_id": self.ground.point, "point_currency": "EUR", "service": "card_eur", "service_amount": "10.50",
            "reference_id": self.of("card"), "customer": { "reference_id": self.of("customer"), "name": "Ada Example" },
            "fields": { "card_number": "4111111111111111", "card_expiry_month": "12", "card_expiry_year": "2035",
                "card_holder": "ADA EXAMPLE" },
        });
        meant.join(self.asked("card", attributes, PAID).await.0);
        meant
    }

    async fn single(&self) -> Meant {
        let attributes = json!({
            "route_id": self.ground.route, "point_id": self.ground.point, "point_currency": "USD", "service_amount": "3",
            "reference_id": self.of("single"), "fields": { "account": "abc" },
        });
        let call = self.partner("POST", "/v1/payout-gateway/payouts").json(document("payout", &attributes));
        self.client.done(&call).await;
        let call = self.partner("GET", format!("{REQUESTS}?filter%5Breference_id%5D={}", self.of("single")));
        let found = self.client.done(&call).await;
        let what = What::Request { id: found["data"][0]["id"].as_str().unwrap().to_owned(), funding: Funding::Balance };
        Meant { intents: vec![Intent { label: "single", what, ends: PAID }], ..Meant::default() }
    }

    /// Nothing but an idempotency key tells that it is the same.
    async fn unnamed(&self) -> Meant {
        let mut attributes = self.test_attributes("-", "4", json!({}));
        attributes.as_object_mut().unwrap().remove("reference_id");
        let call =
            self.partner("POST", REQUESTS).json(document("payout-request", &attributes)).keyed(self.of("unnamed"));
        let made = id_of(&self.client.done(&call).await);
        let what = What::Request { id: made, funding: Funding::Balance };
        Meant { intents: vec![Intent { label: "by its key alone", what, ends: PAID }], ..Meant::default() }
    }

    /// What has this code, made unless it is there.
    async fn ensured(&self, collection: &str, kind: &str, attributes: &Value) -> String {
        let path = format!("/v1/payout-gateway/{collection}");
        let code = attributes["code"].as_str().unwrap();
        let call =
            self.partner("POST", path.clone()).json(document(kind, attributes)).keyed(format!("make-{kind}-{code}"));
        let (status, body) = self.client.send(&call).await;
        if status < 300 {
            return id_of(&body);
        }
        // The try whose answer was lost made it.
        assert_eq!(status, 409, "{body}");
        let listed = self.client.done(&self.partner("GET", format!("{path}?page%5Bsize%5D=100"))).await;
        let of_code = |one: &&Value| one["attributes"]["code"] == code;
        let found = listed["data"].as_array().unwrap().iter().find(of_code);
        found.unwrap_or_else(|| panic!("{code}: {listed}"))["id"].as_str().unwrap().to_owned()
    }

    /// Over accounts of the partner's own, whose balance the provider keeps.
    async fn own_deposit(&self) -> Meant {
        let code = self.of("own").to_ascii_lowercase();
        let account = json!({ "code": code, "provider": "test",
            "settings": { "balance": "provider", "balance_usd": "500" } });
        let account = self.ensured("provider-accounts", "provider-account", &account).await;
        let deposit = json!({ "code": code, "provider_account_id": account, "currency": "USD" });
        let deposit = self.ensured("deposit-accounts", "deposit-account", &deposit).await;
        let route = json!({ "code": code, "service": "test_usd", "deposit_account_id": deposit });
        self.ensured("payout-routes", "payout-route", &route).await;
        let strategy = json!({ "strategies": [{ "strategy": "direct", "routes": [code] }] });
        let scheme = json!({ "name": code, "body": { "services": { "test_usd": strategy } } });
        let call = self
            .partner("POST", "/v1/payout-gateway/payout-schemes")
            .json(document("payout-scheme", &scheme))
            .keyed(self.of("scheme"));
        let scheme = id_of(&self.client.done(&call).await);
        let point =
            json!({ "name": code, "currencies": ["USD"], "funding": "own_deposit", "payout_scheme_id": scheme });
        let call = self
            .partner("POST", "/v1/payout-gateway/payout-points")
            .json(document("payout-point", &point))
            .keyed(self.of("point"));
        let point = id_of(&self.client.done(&call).await);
        // Nothing can be paid before the provider has told what is there.
        let path = format!("/v1/payout-gateway/deposit-accounts/{deposit}");
        for _ in 0..400 {
            let seen = self.client.done(&self.partner("GET", path.clone())).await;
            if seen["data"]["attributes"]["available"] == "500" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let mut attributes = self.test_attributes("own", "25", json!({}));
        attributes["point_id"] = json!(point);
        let (mut meant, _) = self.asked("own deposit", attributes, PAID).await;
        for intent in &mut meant.intents {
            if let What::Request { funding, .. } = &mut intent.what {
                *funding = Funding::OwnDeposit;
            }
        }
        meant
    }
}
