//! A partner and what it asks for: the world's demo partner in test mode, with services and money of its own.

use diesel_async::RunQueryDsl;
use landfall::domain::ids::{ApiKeyId, PayoutPointId, PayoutRequestId, Tenant};
use landfall::gateway::access::{Caller, Principal, Refusal, Scope};
use landfall::gateway::funds::PartnerCredit;
use landfall::gateway::requests::{NewRequest, RequestView};
use landfall::store::requests::{self, PayoutRequest};
use rust_decimal::{Decimal, dec};
use serde_json::{Map, Value, json};

use crate::world::World;

#[derive(diesel::QueryableByName)]
struct PointRow {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    id: uuid::Uuid,
}

pub struct Partner {
    pub caller: Caller,
    pub point_id: PayoutPointId,
}

/// A route for `test_usd` beside the shipped ones.
pub fn with_test_service(settings: &mut landfall::config::Settings) {
    let mut route = settings.gateway.routes.iter().find(|route| route.service == "card_usd").unwrap().clone();
    route.code = "sandbox-a-test-usd".to_owned();
    route.service = "test_usd".to_owned();
    route.amount_min = None;
    if settings.gateway.routes.iter().all(|known| known.code != route.code) {
        settings.gateway.routes.push(route);
    }
}

pub async fn execute(world: &World, sql: &str) {
    let mut conn = world.app.db.get().await.unwrap();
    diesel::sql_query(sql).execute(&mut conn).await.unwrap();
}

impl Partner {
    /// The demo partner, with `usd` on its balance.
    pub async fn with(world: &World, usd: Decimal) -> Self {
        let tenant = world.user("nobody").await.tenant;
        let fields = json!([{ "key": "account", "type": "text", "required": true }]);
        let card = json!([
            { "key": "card_number", "type": "card_number", "required": true, "position": 1 },
            { "key": "card_expiry", "type": "card_expiry", "required": true, "position": 2 },
            { "key": "card_holder", "type": "card_holder", "required": true, "position": 3 },
            { "key": "purpose", "type": "text", "required": false, "position": 4 },
        ]);
        for (code, method, currency, max, fields) in
            [("test_usd", "test", "USD", "900", &fields), ("card_eur", "card", "EUR", "5000", &card)]
        {
            execute(
                world,
                &format!(
                    "INSERT INTO payout_service (partner_id, mode, code, method, currency, amount_min, amount_max, fields, created_at, \
                     updated_at) VALUES ('{}', 'test', '{code}', '{method}', '{currency}', 0.5, {max}, '{fields}', now(), now()) \
                     ON CONFLICT DO NOTHING",
                    tenant.partner_id.0
                ),
            )
            .await;
        }
        let mut conn = world.app.db.get().await.unwrap();
        let point: PointRow = diesel::sql_query(format!(
            "SELECT id FROM payout_point WHERE partner_id = '{}' AND mode = 'test' ORDER BY code = 'wallet' DESC LIMIT 1",
            tenant.partner_id.0
        ))
        .get_result(&mut conn)
        .await
        .unwrap();
        drop(conn);
        let caller = Caller {
            tenant,
            by: Principal::Key(ApiKeyId::new()),
            scopes: Scope::ALL.into_iter().collect(),
            is_house: false,
            origin: None,
            gate: landfall::gateway::access::audit::Gate::Open,
        };
        let partner = Self { caller, point_id: point.id.into() };
        if !usd.is_zero() {
            partner.credit(world, "USD", usd).await;
        }
        partner
    }

    pub fn tenant(&self) -> Tenant {
        self.caller.tenant
    }

    pub async fn credit(&self, world: &World, currency: &str, amount: Decimal) {
        // In letters alone: sixteen digits in a row might pass for a card number.
        let id = uuid::Uuid::now_v7().simple().to_string();
        let letters: String = id.chars().filter_map(|c| char::from_digit(c.to_digit(16)? + 10, 36)).collect();
        let reference = format!("credit-{letters}");
        let credit = PartnerCredit { partner_id: None, currency: currency.parse().unwrap(), amount, reference };
        world.app.gateway.credit_partner(&self.caller, &credit).await.unwrap();
    }

    /// The documented sample.
    pub fn sample(&self) -> NewRequest {
        let mut ask = NewRequest::new(self.point_id, "test_usd");
        ask.point_amount = Some(dec!(1));
        ask.point_currency = Some("USD".parse().unwrap());
        ask.test_mode = Some(true);
        ask.fields = object(json!({"account": "some_random_string"}));
        ask
    }

    pub fn sample_of(&self, amount: Decimal, reference: &str) -> NewRequest {
        NewRequest { point_amount: Some(amount), reference_id: Some(reference.to_owned()), ..self.sample() }
    }

    /// To a card by its number, in EUR.
    pub fn to_card(&self, number: &str) -> NewRequest {
        let mut ask = NewRequest::new(self.point_id, "card_eur");
        ask.service_amount = Some(dec!(10));
        ask.point_currency = Some("EUR".parse().unwrap());
        ask.fields = object(json!({"card_number": number, "card_expiry": "12/35", "card_holder": "Ada Lovelace"}));
        ask
    }

    pub async fn make(&self, world: &World, ask: NewRequest) -> PayoutRequest {
        world.app.gateway.create_request(&self.caller, ask).await.unwrap().request
    }

    pub async fn find(&self, world: &World, id: PayoutRequestId) -> PayoutRequest {
        let conn = world.app.db.get().await.unwrap();
        requests::find(&conn, self.tenant(), id).await.unwrap().unwrap()
    }

    pub async fn view(&self, world: &World, id: PayoutRequestId) -> RequestView {
        world.app.gateway.request(&self.caller, id).await.unwrap()
    }

    /// Available and held.
    pub async fn funds(&self, world: &World, currency: &str) -> (Decimal, Decimal) {
        let funds = world.app.gateway.partner_funds(&self.caller).await.unwrap();
        let code = currency.parse().unwrap();
        let of = funds.into_iter().find(|funds| funds.currency == code);
        of.map_or((Decimal::ZERO, Decimal::ZERO), |f| (f.available.normalize(), f.held.normalize()))
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The code of a refusal that isn't a failure of ours.
pub fn code_of(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Invalid(problems) => {
            problems.iter().map(|p| p.code.clone().into_owned()).collect::<Vec<_>>().join(" ")
        }
        Refusal::Conflict { code, .. } | Refusal::Forbidden { code, .. } => (*code).to_owned(),
        Refusal::NotFound { what } => format!("no {what}"),
        Refusal::Failed(error) => panic!("{error}"),
    }
}
