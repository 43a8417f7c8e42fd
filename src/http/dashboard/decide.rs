//! The form with which an operator decides about a payout request that waits, and what comes of it. Which decisions there are, and who
//! may take them, is told by `staff`; here they are only shown and read.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroize;

use super::approvals;
use super::error::PageError;
use super::frame::served;
use super::parts::outside;
use super::request;
use super::visitor::{Visitor, check_form, whence};
use super::words;
use crate::domain::ids::PayoutId;
use crate::staff::desk::{Desk, RequestPage};
use crate::staff::moderation::{
    Choice, DecideError, Decision, DecisionKind, Possibility, ProviderIds, Word, WordError, may_decide,
};
use crate::staff::{Staff, StaffError};

/// What was typed. All of it is text: what can't be read is told, not refused as a form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    seen: String,
    /// `reject`, or `mark_paid:po_...`.
    decision: String,
    reason: String,
    evidence: String,
    amount: String,
    original_id: String,
    rrn: String,
    arn: String,
    /// A password or a code, where it is asked for.
    proof: Proof,
}

/// What proves who somebody is. It is wiped, and never shown or told.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
struct Proof(String);

impl Drop for Proof {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof(redacted)")
    }
}

/// The part of a request's page on which it is decided.
pub struct DecideForm {
    pub action: String,
    pub seen: i32,
    pub options: Vec<OptionView>,
    /// Why this visitor can't decide.
    pub why_not: Option<String>,
    pub marks_payout: bool,
    /// What is asked for before a payout is marked; `None`: it was given lately.
    pub proof: Option<&'static str>,
    pub typed: Typed,
    pub problem: Option<String>,
}

pub struct OptionView {
    pub value: String,
    pub label: String,
    pub what: &'static str,
    pub why_not: Option<&'static str>,
    pub is_chosen: bool,
}

impl Typed {
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub fn evidence(&self) -> &str {
        &self.evidence
    }

    pub fn amount(&self) -> &str {
        &self.amount
    }

    pub fn original_id(&self) -> &str {
        &self.original_id
    }

    pub fn rrn(&self) -> &str {
        &self.rrn
    }

    pub fn arn(&self) -> &str {
        &self.arn
    }

    fn choice(&self) -> Result<Choice, &'static str> {
        let (kind, payout) = self.decision.split_once(':').unwrap_or((&self.decision, ""));
        let kind = kind.parse().map_err(|_| "Choose what is to happen.")?;
        let payout = || payout.parse::<PayoutId>().map_err(|_| "Choose the payout that it is about.");
        Ok(match kind {
            DecisionKind::Continue => Choice::Continue,
            DecisionKind::Reject => Choice::Reject,
            DecisionKind::MarkPaid => {
                let amount = Decimal::from_str_exact(self.amount.trim());
                let amount = amount.map_err(|_| "Give the amount that was paid, as digits with a decimal point.")?;
                let ids = ProviderIds {
                    original_id: Some(self.original_id.clone()),
                    rrn: Some(self.rrn.clone()),
                    arn: Some(self.arn.clone()),
                    debited: None,
                };
                Choice::MarkPaid { payout_id: payout()?, amount, ids }
            }
            DecisionKind::MarkFailedRelease => Choice::MarkFailedRelease { payout_id: payout()? },
            DecisionKind::MarkFailedFailover => Choice::MarkFailedFailover { payout_id: payout()? },
        })
    }
}

/// The form for what waits of a request; `None`: nothing does.
pub fn form(
    visitor: &Visitor,
    desk: &Desk,
    partner: &str,
    read: &RequestPage,
    typed: Typed,
    problem: Option<String>,
) -> Option<DecideForm> {
    let (options, request) = (&read.options, &read.request);
    let has_open_case = read.cases.iter().any(|case| case.closed_at.is_none() && case.payout_id.is_some());
    let is_waiting = options.stopped.is_some() || (has_open_case && options.options.iter().any(is_about_payout));
    if !is_waiting && problem.is_none() {
        return None;
    }
    let owner = &visitor.0.owner;
    let role = owner.role;
    let marks_payout = options.options.iter().any(is_about_payout);
    let asked = if owner.has_totp { "A code of your authenticator app" } else { "Your password" };
    Some(DecideForm {
        action: format!("/dashboard/{}/requests/{partner}/{}/decide", request.mode, request.id),
        seen: options.seen,
        options: options.options.iter().map(|option| option_view(option, read, &typed)).collect(),
        why_not: (!may_decide(role)).then(|| format!("You are signed in as {role}: an operator or an admin decides.")),
        marks_payout,
        proof: (marks_payout && !desk.has_proved(owner)).then_some(asked),
        typed,
        problem,
    })
}

fn is_about_payout(option: &Possibility) -> bool {
    option.payout_id.is_some()
}

fn option_view(option: &Possibility, read: &RequestPage, typed: &Typed) -> OptionView {
    let label = words::decision(option.kind);
    let payout = option.payout_id.and_then(|id| read.payouts.iter().find(|payout| payout.id == id));
    let value = match option.payout_id {
        Some(id) => format!("{}:{id}", option.kind),
        None => option.kind.to_string(),
    };
    OptionView {
        label: match payout {
            Some(payout) => format!(
                "Part {}, attempt {}, {}: {label}",
                payout.part.saturating_add(1),
                payout.attempt,
                outside(&payout.provider_reference)
            ),
            None => label.to_owned(),
        },
        what: option.kind.in_words(),
        why_not: option.allowed.err().map(|why| why.in_words()),
        is_chosen: typed.decision == value,
        value,
    }
}

pub async fn submit(
    mut visitor: Visitor,
    (desk, staff): (web::Data<Desk>, web::Data<Staff>),
    http: HttpRequest,
    path: web::Path<(String, String, String)>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    let typed = typed.into_inner();
    check_form(&visitor, &typed.form_token)?;
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let request_id = id.parse().map_err(|_| PageError::NotFound)?;
    let read = desk.request(mode, &partner, request_id).await?.ok_or(PageError::NotFound)?;
    let choice = match (typed.choice(), typed.seen.parse::<i32>()) {
        (Ok(choice), Ok(seen)) => (choice, seen),
        (Err(problem), _) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return request::answer(&visitor, &desk, &partner, &read, typed, problem.to_owned(), status);
        }
        (_, Err(_)) => return Err(PageError::Form),
    };
    let decision = Decision {
        tenant: read.request.tenant(),
        request_id,
        seen: choice.1,
        choice: choice.0,
        reason: typed.reason.clone(),
        evidence: typed.evidence.clone(),
    };
    let from = whence(&http);
    let proof = SecretString::from(typed.proof.0.clone());
    if !proof.expose_secret().is_empty() && !desk.has_proved(&visitor.0.owner) {
        match staff.prove_again(visitor.0.clone(), &proof, &from).await {
            Ok(signed_in) => visitor = Visitor(signed_in),
            Err(StaffError::Refused | StaffError::WrongCode) => {
                let problem = "That isn't it, or it was wrong too often.".to_owned();
                return request::answer(&visitor, &desk, &partner, &read, typed, problem, StatusCode::FORBIDDEN);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let origin = from.origin();
    let error = match desk.decide(&visitor.0.owner, origin, &decision).await {
        Ok(Word::Done(decided)) => {
            let done = if decided.is_repeat { "repeated" } else { "decided" };
            let location = format!("/dashboard/{mode}/requests/{partner}/{id}?done={done}");
            return Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish());
        }
        Ok(Word::Waits(waits)) => return Ok(approvals::to_waiting(mode, &waits)),
        Err(error) => error,
    };
    let (status, problem) = refusal(error)?;
    // As it is now: what was refused may have come from what happened since.
    let read = desk.request(mode, &partner, request_id).await?.ok_or(PageError::NotFound)?;
    request::answer(&visitor, &desk, &partner, &read, typed, problem, status)
}

/// How a refusal is told; a failure of ours is a page of its own.
pub fn refusal(error: WordError) -> Result<(StatusCode, String), PageError> {
    let status = match &error {
        WordError::Role | WordError::NotProved => StatusCode::FORBIDDEN,
        WordError::Decision(DecideError::Failed(_))
        | WordError::Case(crate::gateway::cases::CaseRefusal::Gateway(_)) => {
            return Err(PageError::from(error));
        }
        WordError::Decision(DecideError::Invalid(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        WordError::Decision(_) | WordError::Case(_) | WordError::Waits(_) => StatusCode::CONFLICT,
    };
    let mut text = error.to_string();
    if let Some(first) = text.get(..1) {
        let upper = first.to_uppercase();
        text.replace_range(..1, &upper);
    }
    Ok((status, text + "."))
}
