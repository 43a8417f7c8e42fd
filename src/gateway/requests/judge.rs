//! Whether a request may be made, and what it becomes: amounts, rate, fee, fields, card, options. Decides; writes nothing.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::super::access::{Problem, Refusal};
use super::super::journal::CHAIN_START;
use super::super::{Gateway, GatewayError};
use super::ground::{Ground, PointGround};
use super::new_request::{NewCustomer, NewRequest};
use super::words::{ATTRIBUTES, Problems};
use crate::domain::asset::{Asset, AssetCode};
use crate::domain::card::{CardExpiry, CardScheme, HolderName, Pan, identify};
use crate::domain::exchange::{AppliedRate, NoRate, SOURCE_FIXED};
use crate::domain::fee::{FeeKind, FeeRule};
use crate::domain::ids::{CardId, Mode, PayoutRequestId};
use crate::domain::money::Money;
use crate::domain::payout_point::{ATTEMPTS, EXPIRES_IN_SECS};
use crate::domain::payout_request::{Funding, RequestEvent, RequestStatus};
use crate::domain::rate::{Pair, Price, Rate, Spread};
use crate::domain::service::{CheckedFields, FieldKind, FieldProblem, Service};
use crate::store::requests::{PayoutRequest, RequestTerms};

/// Amounts with more digits before the point than this are nobody's.
const AMOUNT_MAX: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// A card that came in with a request, checked.
pub(super) struct PlainCard {
    pub pan: Pan,
    pub holder: HolderName,
    pub expiry: CardExpiry,
    pub scheme: CardScheme,
}

/// A request that may be made, all but its customer's id.
pub(super) struct Judged {
    pub row: PayoutRequest,
    pub card: Option<PlainCard>,
    pub customer: Option<NewCustomer>,
    pub missing: Vec<FieldProblem>,
}

/// What a request comes to.
pub(super) struct Amounts {
    pub point: Money,
    pub service: Money,
    pub fee: Decimal,
    pub exchange: Option<Value>,
}

/// What the fields come to.
pub(super) struct Details {
    pub fields: Value,
    pub card: Option<PlainCard>,
    pub missing: Vec<FieldProblem>,
}

impl Gateway {
    pub(super) fn judge(&self, ask: &NewRequest, ground: &Ground, now: DateTime<Utc>) -> Result<Judged, Refusal> {
        let mut problems = Problems::default();
        let tenant = ground.tenant;
        if ask.test_mode.is_some_and(|test| test != (tenant.mode == Mode::Test)) {
            let detail = format!("the key is one of {} mode", tenant.mode);
            problems.add("test_mode", "MODE_MISMATCH", detail);
        }
        let Some(point) = ground.points.get(&ask.point_id) else {
            problems.add("point_id", "UNKNOWN_POINT", "there is no such payout point");
            return Err(Refusal::Invalid(problems.0));
        };
        let service = self.service_of_ask(ask, ground, &mut problems);
        self.check_words(ask, tenant.mode, &mut problems);
        let Some(service) = service else { return Err(Refusal::Invalid(problems.0)) };
        let amounts = self.amounts(ask, point, service, tenant.mode, now, &mut problems);
        let id = PayoutRequestId::new();
        let card_id = check_token(ask, ground, service, now, &mut problems);
        let details = details_of(&ask.fields, service, card_id, &ask.language, now, &mut problems);
        let mut row = self.row_of(ask, id, ground, point, service, now, &mut problems);
        // What the state forbids is told once nothing is wrong with the request itself.
        if !problems.0.is_empty() {
            return Err(Refusal::Invalid(problems.0));
        }
        if !point.enabled {
            return Err(Refusal::conflict("POINT_DISABLED", "the payout point is disabled"));
        }
        if !service.enabled {
            return Err(Refusal::conflict("SERVICE_DISABLED", "the service is disabled"));
        }
        let (Some(amounts), Some(details)) = (amounts?, details) else {
            return Err(Refusal::Failed(GatewayError::Corrupt("a problem was not told".to_owned())));
        };
        row.amount = amounts.service.amount();
        row.terms.point_amount = amounts.point.amount();
        row.terms.point_currency = amounts.point.asset().code;
        row.terms.fee = amounts.fee;
        row.terms.exchange = amounts.exchange;
        row.card_id = card_id;
        row.customer_id = card_id.and_then(|id| ground.cards.get(&id)).map(|card| card.customer_id);
        row.fields = details.fields;
        let event = if details.missing.is_empty() { RequestEvent::MadeReady } else { RequestEvent::DetailsMissing };
        row.status = row.status.apply(event).map_err(|error| GatewayError::Request(id, error))?;
        let customer = ask.customer.clone();
        Ok(Judged { row, card: details.card, customer, missing: details.missing })
    }

    fn service_of_ask<'g>(&self, ask: &NewRequest, ground: &'g Ground, problems: &mut Problems) -> Option<&'g Service> {
        let mut code = ask.service.as_str();
        if let Some(route_id) = ask.single_route_id {
            match ground.routes.get(&route_id) {
                None => {
                    problems.add("route_id", "UNKNOWN_ROUTE", "there is no such payout route");
                    return None;
                }
                Some(route) if code.is_empty() || code == route.service => code = &route.service,
                Some(route) => {
                    let detail = format!("the route serves {}", route.service);
                    problems.add("service", "ROUTE_MISMATCH", detail);
                }
            }
        }
        let service = ground.services.get(code);
        if service.is_none() {
            problems.add("service", "UNKNOWN_SERVICE", "there is no such payout service");
        }
        service
    }

    fn check_words(&self, ask: &NewRequest, mode: Mode, problems: &mut Problems) {
        match &ask.reference_id {
            Some(reference) => {
                problems.reference("reference_id", reference, 128);
                // Under these stand the requests of the wallet's offers.
                if reference.starts_with("offer-") {
                    problems.add(
                        "reference_id",
                        "RESERVED_REFERENCE",
                        "references that begin with offer- are the wallet's",
                    );
                }
            }
            None if mode == Mode::Live && ask.batch.is_none() => {
                problems.add("reference_id", "REFERENCE_REQUIRED", "is required in live mode");
            }
            None => {}
        }
        if let Some(description) = &ask.description {
            problems.text("description", description, 500);
        }
        if let Some(url) = &ask.callback_url {
            problems.callback_url("callback_url", url, mode);
        }
        problems.metadata("metadata", &ask.metadata);
        if let Some(customer) = &ask.customer {
            check_customer(customer, problems);
        }
    }

    /// What is charged and what is paid out; `None` after a problem was told.
    pub(super) fn amounts(
        &self,
        ask: &NewRequest,
        point: &PointGround,
        service: &Service,
        mode: Mode,
        now: DateTime<Utc>,
        problems: &mut Problems,
    ) -> Result<Option<Amounts>, Refusal> {
        let Some(service_asset) = self.assets.get(service.currency) else {
            return Err(GatewayError::Corrupt(format!("{} is not configured", service.currency)).into());
        };
        let Some(point_asset) = self.point_asset(ask, point, service, problems) else { return Ok(None) };
        let point_money = money(ask.point_amount, point_asset, "point_amount", problems);
        let service_money = money(ask.service_amount, service_asset, "service_amount", problems);
        if ask.point_amount.is_none() && ask.service_amount.is_none() {
            problems.add("point_amount", "AMOUNT_REQUIRED", "point_amount or service_amount is required");
        }
        if point_money.is_none() && service_money.is_none() || !problems.0.is_empty() {
            return Ok(None);
        }
        let pair = Pair { from: point_asset.code, to: service_asset.code };
        let applied = match self.rate(pair, point, mode, now) {
            Ok(applied) => applied,
            Err(Refusal::Invalid(told)) => {
                problems.0.extend(told);
                return Ok(None);
            }
            Err(refusal) => return Err(refusal),
        };
        let failed = |error: crate::domain::exchange::ConversionError| {
            Refusal::Failed(GatewayError::Corrupt(format!("converting {pair}: {error}")))
        };
        let (point_money, service_money) = match (point_money, service_money) {
            (Some(point), None) => (point, applied.to_service(&point, service_asset).map_err(failed)?),
            (None, Some(service)) => (applied.to_point(&service, point_asset).map_err(failed)?, service),
            (Some(point), Some(service)) => {
                let comes_to = applied.to_service(&point, service_asset).map_err(failed)?;
                if comes_to != service {
                    let detail = format!("{point} comes to {comes_to}, not to {service}");
                    problems.add("service_amount", "AMOUNTS_DISAGREE", detail);
                    return Ok(None);
                }
                (point, service)
            }
            (None, None) => return Ok(None),
        };
        let attribute = if ask.service_amount.is_some() { "service_amount" } else { "point_amount" };
        if !service_money.is_positive() {
            problems.add(attribute, "AMOUNT_TOO_SMALL", format!("comes to nothing in {}", service_asset.code));
        } else if service.amount_min.is_some_and(|min| service_money.amount() < min) {
            let min = service.amount_min.unwrap_or_default();
            problems.add(attribute, "AMOUNT_TOO_SMALL", format!("{} pays out {min} or more", service.code));
        } else if service.amount_max.is_some_and(|max| service_money.amount() > max) {
            let max = service.amount_max.unwrap_or_default();
            problems.add(attribute, "AMOUNT_TOO_LARGE", format!("{} pays out {max} at most", service.code));
        }
        let fee = match point.funding {
            Funding::PartnerBalance => self.fee(&point.partner_code, mode, service, &point_money)?,
            Funding::OwnDeposit | Funding::WalletHold => Decimal::ZERO,
        };
        let exchange = match pair.from == pair.to {
            true => None,
            false => Some(applied.to_stored().map_err(|error| GatewayError::Corrupt(error.to_string()))?),
        };
        Ok(Some(Amounts { point: point_money, service: service_money, fee, exchange }))
    }

    fn point_asset(
        &self,
        ask: &NewRequest,
        point: &PointGround,
        service: &Service,
        problems: &mut Problems,
    ) -> Option<Asset> {
        let code: AssetCode = match (ask.point_currency, point.currencies.as_slice()) {
            (Some(code), currencies) if currencies.contains(&code) => code,
            (Some(_), currencies) => {
                let known: Vec<&str> = currencies.iter().map(AssetCode::as_str).collect();
                problems.add(
                    "point_currency",
                    "UNKNOWN_CURRENCY",
                    format!("the payout point has {}", known.join(", ")),
                );
                return None;
            }
            (None, [only]) => *only,
            (None, currencies) if currencies.contains(&service.currency) => service.currency,
            (None, _) => {
                problems.add("point_currency", "CURRENCY_REQUIRED", "the payout point has several currencies");
                return None;
            }
        };
        let asset = self.assets.get(code);
        if asset.is_none() {
            problems.add("point_currency", "UNKNOWN_CURRENCY", "the currency is not configured");
        }
        asset
    }

    fn rate(&self, pair: Pair, point: &PointGround, mode: Mode, now: DateTime<Utc>) -> Result<AppliedRate, Refusal> {
        let no_rule = || {
            let detail = format!("the payout point converts no {} to {}", pair.from, pair.to);
            Refusal::invalid(format!("{ATTRIBUTES}/point_currency"), "NO_EXCHANGE_RULE", detail)
        };
        let prices = |source: &str, pair: Pair| self.prices.quote(mode, source, pair, now);
        // A currency to itself needs no rule, and so no scheme.
        let quoted = match &point.exchange {
            Some((_, scheme)) => scheme.quote(pair, &prices),
            None => same_currency(pair),
        };
        match quoted {
            Ok(mut applied) => {
                applied.scheme_version = point.exchange.as_ref().map(|(version, _)| *version);
                Ok(applied)
            }
            Err(NoRate::NoRule(_)) => Err(no_rule()),
            Err(why @ (NoRate::NoPrice { .. } | NoRate::MarkupTakesAll { .. } | NoRate::OutOfBounds { .. })) => {
                tracing::warn!(%pair, %why, "no exchange rate");
                Err(Refusal::conflict("RATES_UNAVAILABLE", format!("there is no rate for {pair} now")))
            }
        }
    }

    /// What the house charges for a request, in its point currency, rounded up: the first tariff that fits.
    fn fee(&self, partner: &str, mode: Mode, service: &Service, amount: &Money) -> Result<Decimal, GatewayError> {
        let asset = amount.asset();
        let fits = |tariff: &&crate::config::gateway::FeeSeed| {
            tariff.partner.as_deref().is_none_or(|code| code == partner)
                && tariff.mode.is_none_or(|of| of == mode)
                && tariff.service.as_deref().is_none_or(|code| code == service.code.as_str())
                && tariff.currency.is_none_or(|code| code == asset.code)
        };
        let Some(tariff) = self.settings.fees.iter().find(fits) else { return Ok(Decimal::ZERO) };
        let number = |text: &Option<String>| text.as_deref().and_then(crate::config::gateway::decimal);
        let rule = FeeRule {
            percent: number(&tariff.percent),
            fixed_source: number(&tariff.fixed),
            min: number(&tariff.min),
            max: number(&tariff.max),
            ..FeeRule::of(FeeKind::Transaction)
        };
        let one = Price::new(Decimal::ONE).map_err(|error| GatewayError::Corrupt(error.to_string()))?;
        Ok(rule.charge(amount.amount(), one, asset.scale)?)
    }

    #[expect(clippy::too_many_arguments, reason = "what one row is made of")]
    fn row_of(
        &self,
        ask: &NewRequest,
        id: PayoutRequestId,
        ground: &Ground,
        point: &PointGround,
        service: &Service,
        now: DateTime<Utc>,
        problems: &mut Problems,
    ) -> PayoutRequest {
        let (options, defaults) = (&ask.options, &point.options);
        let mut attempts = |attribute: &str, asked: Option<u16>, default: u16| {
            let count = asked.unwrap_or(default);
            if !ATTEMPTS.contains(&count) {
                let detail = format!("is {} to {}", ATTEMPTS.start(), ATTEMPTS.end());
                problems.add(&format!("options/{attribute}"), "OUT_OF_RANGE", detail);
            }
            i16::try_from(count).unwrap_or(i16::MAX)
        };
        let by_default = defaults.attempts_limit.unwrap_or(self.settings.attempts_limit);
        let mut attempts_limit = attempts("attempts_limit", options.attempts_limit, by_default);
        let per_route = defaults.attempts_per_route_limit.unwrap_or(1);
        let per_route = attempts("attempts_per_route_limit", options.attempts_per_route_limit, per_route);
        let expires_in = defaults.expires_in_secs.unwrap_or(self.settings.request_ttl_secs);
        let expires_at = options.expires_at.unwrap_or(now + TimeDelta::seconds(i64::from(expires_in)));
        let latest = now + TimeDelta::seconds(i64::from(*EXPIRES_IN_SECS.end()));
        if options.expires_at.is_some_and(|at| at <= now || at > latest) {
            problems.add("options/expires_at", "OUT_OF_RANGE", "lies ahead, by 90 days at most");
        }
        if ask.single_route_id.is_some() {
            attempts_limit = 1;
        }
        let reference_id = match (&ask.reference_id, ask.batch) {
            (Some(reference), _) => reference.clone(),
            (None, Some((batch, row))) => format!("{batch}-{row}"),
            (None, None) => id.to_string(),
        };
        let split_mode = options.split_mode.or(defaults.split_mode).unwrap_or_default();
        let mut terms = RequestTerms::plain(Decimal::ONE, service.currency);
        terms.metadata = Value::Object(ask.metadata.clone());
        terms.callback_url = ask.callback_url.clone().or_else(|| point.callback_url.clone());
        terms.attempts_per_route_limit = per_route;
        terms.auto_process = options.auto_process.or(defaults.auto_process).unwrap_or(true);
        terms.split_mode = if ask.single_route_id.is_some() { Default::default() } else { split_mode };
        terms.parallel_mode = options.parallel_mode.or(defaults.parallel_mode).unwrap_or(false);
        terms.single_route_id = ask.single_route_id;
        terms.batch_id = ask.batch.map(|(batch, _)| batch);
        terms.batch_row = ask.batch.map(|(_, row)| row);
        terms.body_mac = Some(ask.body_mac(&self.vault).to_vec());
        PayoutRequest {
            partner_id: ground.tenant.partner_id,
            mode: ground.tenant.mode,
            id,
            point_id: ask.point_id,
            reference_id,
            customer_id: None,
            card_id: None,
            offer_id: None,
            funding: point.funding,
            service: service.code.to_string(),
            amount: Decimal::ONE,
            currency: service.currency,
            fields: json!({}),
            description: ask.description.clone(),
            status: RequestStatus::Created,
            resolution: None,
            amount_processed: Decimal::ZERO,
            amount_returned: Decimal::ZERO,
            attempts_limit,
            attempts_made: 0,
            allow_partially: options.allow_partially.or(defaults.allow_partially).unwrap_or(false),
            stop_requested: None,
            moderation_reason: None,
            expires_at,
            event_seq: 0,
            event_mac: CHAIN_START.to_vec(),
            created_at: now,
            updated_at: now,
            final_at: None,
            terms,
        }
    }
}

/// What a point without a scheme converts.
fn same_currency(pair: Pair) -> Result<AppliedRate, NoRate> {
    if pair.from != pair.to {
        return Err(NoRate::NoRule(pair));
    }
    let price = Price::new(Decimal::ONE).map_err(|why| NoRate::OutOfBounds { pair, why })?;
    Ok(AppliedRate {
        pair,
        rule: Value::Null,
        scheme_version: None,
        source: SOURCE_FIXED.to_owned(),
        fallback: false,
        price_quoted: Decimal::ONE,
        rate: Rate { price, spread: Spread::NONE },
    })
}

fn money(amount: Option<Decimal>, asset: Asset, attribute: &str, problems: &mut Problems) -> Option<Money> {
    let amount = amount?;
    if amount <= Decimal::ZERO || amount >= AMOUNT_MAX {
        problems.add(attribute, "INVALID_AMOUNT", "is above zero and has at most 15 digits before the point");
        return None;
    }
    match Money::new(amount, asset) {
        Ok(money) => Some(money),
        Err(_) => {
            let detail = format!("{} has {} decimals", asset.code, asset.scale);
            problems.add(attribute, "TOO_PRECISE", detail);
            None
        }
    }
}

fn check_customer(customer: &NewCustomer, problems: &mut Problems) {
    problems.reference("customer/reference_id", &customer.reference_id, 128);
    if let Some(email) = &customer.email {
        problems.text("customer/email", email, 254);
        if email.len() < 3 || email.matches('@').count() != 1 || email.contains(char::is_whitespace) {
            problems.add("customer/email", "INVALID_EMAIL", "is no e-mail address");
        }
    }
    if let Some(name) = &customer.name {
        problems.text("customer/name", name, 200);
    }
    if let Some(country) = &customer.country
        && (country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()))
    {
        problems.add("customer/country", "INVALID_COUNTRY", "is two capital letters (ISO 3166-1 alpha-2)");
    }
    if let Some(metadata) = &customer.metadata {
        problems.metadata("customer/metadata", metadata);
    }
}

/// The wallet's card that the request names, if it may be paid to.
fn check_token(
    ask: &NewRequest,
    ground: &Ground,
    service: &Service,
    now: DateTime<Utc>,
    problems: &mut Problems,
) -> Option<CardId> {
    let token = ask.token?;
    let refused = |problems: &mut Problems, code, detail: &str| {
        problems.add("token", code, detail);
        None
    };
    if !service.takes_card() {
        return refused(problems, "TOKEN_NOT_TAKEN", "the service pays to no card");
    }
    let card_fields = ask
        .fields
        .iter()
        .any(|(key, value)| !value.is_null() && service.field(key).is_some_and(|field| field.kind.is_card()));
    if card_fields {
        return refused(problems, "TOKEN_AND_FIELDS", "a token stands instead of a card's fields");
    }
    let Some(card) = ground.cards.get(&token).filter(|card| card.hidden_at.is_none() && card.pan_sealed.is_some())
    else {
        return refused(problems, "UNKNOWN_CARD", "there is no such card");
    };
    let owner = ground.card_owners.get(&token);
    if ask.customer.as_ref().is_some_and(|customer| Some(&customer.reference_id) != owner) {
        return refused(problems, "UNKNOWN_CARD", "the customer has no such card");
    }
    if card.validation_status != "approved" {
        return refused(problems, "CARD_NOT_APPROVED", "the card is not approved");
    }
    if stored_expiry(card.expiry_year, card.expiry_month).is_past(now) {
        return refused(problems, "CARD_EXPIRED", "the card has expired");
    }
    Some(token)
}

/// A card's expiry, as rows have it.
pub(super) fn stored_expiry(year: i16, month: i16) -> CardExpiry {
    CardExpiry { year: u16::try_from(year).unwrap_or(0), month: u8::try_from(month).unwrap_or(0) }
}

/// The service's fields, checked, with the card apart. A card is taken whole or not at all: of one that is incomplete nothing is
/// kept, and all of it is missing. `None` after a problem was told.
pub(super) fn details_of(
    fields: &Map<String, Value>,
    service: &Service,
    token: Option<CardId>,
    language: &str,
    now: DateTime<Utc>,
    problems: &mut Problems,
) -> Option<Details> {
    let checked = match service.check_fields(fields, language) {
        Ok(checked) => checked,
        Err(wrong) => {
            problems.0.extend(wrong.into_iter().map(|problem| problem_of(&problem)));
            return None;
        }
    };
    for (key, value) in &checked.plain {
        problems.plain_field(key, value);
    }
    let CheckedFields { plain, card_number, card_expiry, card_holder, mut missing } = checked;
    let is_card = |key: &str| service.field(key).is_some_and(|field| field.kind.is_card());
    let mut card = None;
    if token.is_some() {
        missing.retain(|problem| !is_card(&problem.key));
    } else if service.takes_card() {
        let card_is_whole = !missing.iter().any(|problem| is_card(&problem.key));
        match (card_number, card_expiry, card_is_whole) {
            (Some(pan), Some((month, year)), true) => {
                card = checked_card(pan, card_holder, &month, &year, service, now, problems);
            }
            _ => {
                missing.retain(|problem| !is_card(&problem.key));
                let needed = service.fields.iter().filter(|field| field.kind.is_card());
                missing.extend(needed.filter(|field| field.required || field.kind == FieldKind::CardNumber).map(
                    |field| {
                        let hint = field.hint.get(language);
                        let detail = if hint.is_empty() { "is required".to_owned() } else { hint.to_owned() };
                        FieldProblem { key: field.key.clone(), code: "FIELD_MISSING", detail }
                    },
                ));
            }
        }
    }
    let fields = Value::Object(plain.into_iter().map(|(key, value)| (key, Value::String(value))).collect());
    Some(Details { fields, card, missing })
}

fn checked_card(
    pan: Pan,
    holder: Option<HolderName>,
    month: &str,
    year: &str,
    service: &Service,
    now: DateTime<Utc>,
    problems: &mut Problems,
) -> Option<PlainCard> {
    let pointer_of = |kind: &[FieldKind]| {
        let field = service.fields.iter().find(|field| kind.contains(&field.kind));
        field.map_or_else(|| "fields".to_owned(), |field| format!("fields/{}", field.key))
    };
    let expiry_at = pointer_of(&[FieldKind::CardExpiry, FieldKind::CardExpiryYear]);
    let expiry = match CardExpiry::parse(year, month, now) {
        Ok(expiry) if !expiry.is_past(now) => expiry,
        Ok(_) => {
            problems.add(&expiry_at, "CARD_EXPIRED", "the card has expired");
            return None;
        }
        Err(error) => {
            problems.add(&expiry_at, "FIELD_INVALID", error.to_string());
            return None;
        }
    };
    match identify(&pan) {
        Ok(scheme) => {
            let holder = holder.unwrap_or_else(|| HolderName::new(String::new()));
            Some(PlainCard { pan, holder, expiry, scheme })
        }
        Err(error) => {
            problems.add(&pointer_of(&[FieldKind::CardNumber]), "FIELD_INVALID", error.to_string());
            None
        }
    }
}

pub(super) fn problem_of(problem: &FieldProblem) -> Problem {
    Problem::new(problem.pointer(), problem.code, problem.detail.clone())
}
