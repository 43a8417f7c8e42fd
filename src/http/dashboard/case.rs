//! One case: its evidence, the money that is open of it, and the form that closes it. A case that asks whether a request goes on is
//! decided on the request's page.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::approvals;
use super::decide::refusal;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, Moment, html, outside, raw};
use super::visitor::{Visitor, check_form, whence};
use super::words;
use crate::domain::ids::Mode;
use crate::staff::desk::{CaseEnded, Desk};
use crate::staff::moderation::{CaseClosing, CaseEnd, CasePage, Word, may_decide};

#[derive(Template)]
#[template(path = "case.html", config = "web/askama.toml")]
struct View {
    frame: Frame,
    about: String,
    partner: String,
    opened_at: Moment,
    request: Option<RequestView>,
    provider_account: Option<String>,
    subject: Option<String>,
    /// What the evidence says in a word each; the whole stands below it.
    evidence: Vec<(String, String)>,
    raw: String,
    ended: Option<EndedView>,
    open: Option<Amount>,
    close: Option<CloseForm>,
}

struct RequestView {
    href: String,
    reference: String,
    status: Badge,
    amount: Amount,
    waits: bool,
}

struct EndedView {
    at: Moment,
    how: String,
    by: String,
    reason: Option<String>,
    raw: Option<String>,
}

struct CloseForm {
    action: String,
    why_not: Option<String>,
    open: Option<String>,
    typed: Typed,
    problem: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    /// `explained` or `settled`.
    end: String,
    recovered: String,
    written_off: String,
    reason: String,
    evidence: String,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let (mode, id) = place(&desk, path.into_inner())?;
    answer(&visitor, &desk, mode, id, Typed::default(), None, StatusCode::OK).await
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String)>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    let typed = typed.into_inner();
    check_form(&visitor, &typed.form_token)?;
    let (mode, id) = place(&desk, path.into_inner())?;
    // A case of another mode isn't closed from here.
    desk.case(mode, id).await?.ok_or(PageError::NotFound)?;
    let end = match read_end(&typed) {
        Ok(end) => end,
        Err(problem) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return answer(&visitor, &desk, mode, id, typed, Some(problem.to_owned()), status).await;
        }
    };
    let evidence = typed.evidence.trim();
    let closing = CaseClosing {
        end,
        reason: outside(typed.reason.trim()),
        evidence: (!evidence.is_empty()).then(|| json!({"evidence": outside(evidence)})),
    };
    let tenant = desk.case(mode, id).await?.ok_or(PageError::NotFound)?.tenant;
    let origin = whence(&http).origin();
    match desk.close_case(&visitor.0.owner, origin, tenant, id, closing).await {
        Ok(Word::Waits(waits)) => Ok(approvals::to_waiting(mode, &waits)),
        Ok(Word::Done(_)) => {
            let location = format!("/dashboard/{mode}/cases/{}", id.simple());
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
        }
        Err(error) => {
            let (status, problem) = refusal(error)?;
            answer(&visitor, &desk, mode, id, typed, Some(problem), status).await
        }
    }
}

fn place(desk: &Desk, (mode, id): (String, String)) -> Result<(Mode, Uuid), PageError> {
    Ok((served(desk, &mode)?, Uuid::try_parse(&id).map_err(|_| PageError::NotFound)?))
}

fn read_end(typed: &Typed) -> Result<CaseEnd, &'static str> {
    let amount = |text: &str| match text.trim() {
        "" => Ok(Decimal::ZERO),
        text => Decimal::from_str_exact(text).map_err(|_| "Give amounts as digits with a decimal point."),
    };
    match typed.end.as_str() {
        "explained" => Ok(CaseEnd::Explained),
        "settled" => {
            Ok(CaseEnd::Settled { recovered: amount(&typed.recovered)?, written_off: amount(&typed.written_off)? })
        }
        _ => Err("Choose how it ends."),
    }
}

async fn answer(
    visitor: &Visitor,
    desk: &Desk,
    mode: Mode,
    id: Uuid,
    typed: Typed,
    problem: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let CasePage { case, open, .. } = desk.case(mode, id).await?.ok_or(PageError::NotFound)?;
    let assets = desk.assets();
    let request = case.request.as_ref().map(|request| RequestView {
        href: format!("/dashboard/{mode}/requests/{}/{}", case.partner, request.id),
        reference: outside(&request.reference_id),
        status: words::request_state(request.status, request.moderation_reason.as_deref()),
        amount: Amount::of(request.amount, request.currency, assets),
        waits: request.moderation_reason.as_deref() == Some(case.kind.as_str()),
    });
    let waits = request.as_ref().is_some_and(|request| request.waits);
    let role = visitor.0.owner.role;
    let close = (case.ended.is_none() && !waits).then(|| CloseForm {
        action: format!("/dashboard/{mode}/cases/{}/close", id.simple()),
        why_not: (!may_decide(role))
            .then(|| format!("You are signed in as {role}: an operator or an admin closes it.")),
        open: open.map(|open| open.amount.normalize().to_string()),
        typed,
        problem,
    });
    let view = View {
        frame: Frame::new(visitor, desk, mode, Section::Moderation),
        about: words::case(&case.kind),
        partner: case.partner,
        opened_at: Moment::of(case.opened_at),
        request,
        provider_account: case.provider_account,
        subject: case.subject.as_deref().map(outside),
        evidence: facts(&case.evidence),
        raw: raw(&case.evidence),
        ended: case.ended.as_ref().map(ended),
        open: open.map(|open| Amount::of(open.amount, open.asset, assets)),
        close,
    };
    Ok(html(HttpResponse::build(status), &view)?)
}

/// The plain values of a case's evidence, with their names as words.
fn facts(evidence: &Value) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::String(text) => Some(outside(text)),
        Value::Number(number) => Some(outside(&number.to_string())),
        Value::Bool(is_so) => Some(if *is_so { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let named = |(name, value): (&String, &Value)| {
        let mut letters = name.chars();
        let first = letters.next()?.to_uppercase();
        Some((outside(&first.chain(letters).collect::<String>().replace('_', " ")), shown(value)?))
    };
    evidence.as_object().into_iter().flatten().filter_map(named).collect()
}

fn ended(ended: &CaseEnded) -> EndedView {
    EndedView {
        at: Moment::of(ended.at),
        how: words::closing(&ended.how),
        by: outside(&ended.by),
        reason: ended.reason.as_deref().map(outside),
        raw: ended.evidence.as_ref().map(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_told_in_words_and_no_card_number_with_it() {
        let evidence = json!({ "amount_processed": "15.00", "sends": 3, "is_open": true, "resolution": null, "ours": { "a": 1 },
            "said": "no such card 4111 1111 1111 1111" });
        let told = facts(&evidence);
        let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Amount processed", "Is open", "Said", "Sends"], "what has parts stands below");
        assert_eq!((told[0].1.as_str(), told[1].1.as_str(), told[3].1.as_str()), ("15.00", "yes", "3"));
        assert!(!told[2].1.contains("1111 1111"), "{}", told[2].1);
        assert!(facts(&json!("text")).is_empty());
    }
}
