//! Where a request pays to: the service's fields, checked, with the card apart, or a card of the wallet.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::access::Problem;
use super::ground::Ground;
use super::new_request::NewRequest;
use super::words::Problems;
use crate::domain::card::{CardExpiry, CardScheme, HolderName, Pan, identify};
use crate::domain::ids::CardId;
use crate::domain::service::{CheckedFields, FieldKind, FieldProblem, Service};

/// A card that came in with a request, checked.
pub(super) struct PlainCard {
    pub pan: Pan,
    pub holder: HolderName,
    pub expiry: CardExpiry,
    pub scheme: CardScheme,
}

/// What the fields come to.
pub(super) struct Details {
    pub fields: Value,
    pub card: Option<PlainCard>,
    pub missing: Vec<FieldProblem>,
}

/// The wallet's card that the request names, if it may be paid to.
pub(super) fn check_token(
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
