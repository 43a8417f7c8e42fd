//! What every adapter promises. Each promise is a test, and a row of `docs/providers/contract.md`: it answers what it has seen, in the words
//! of the page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use landfall::domain::payout::{Resolution, ResolutionClass};
use landfall::providers::provider::{
    AccountContext, CallbackError, Destination, Outcome, PayoutOrder, Provider, ProviderIds, ReportedOutcome,
    ResendSafety,
};
use rust_decimal::Decimal;

use crate::props::question;
use crate::stage::{Mishap, Stage};

/// What the next payout shall meet at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    Paid,
    PendingThenPaid,
    DeclinedForCard,
    DeclinedForRoute,
    /// No answer that says anything, but paid.
    AmbiguousThenPaid,
    /// No answer that says anything, and the provider has no such payout.
    AmbiguousThenNotFound,
    /// The provider answers, and to every inquiry, with a status and a code that its documentation doesn't have. On a stage only.
    Undocumented,
}

/// A callback as it came over the wire.
#[derive(Clone, Debug)]
pub struct Wire {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An adapter with a provider that meets its orders as arranged: a scripted server, or a provider that is scripted by
/// its input.
#[async_trait]
pub trait Subject: Send + Sync {
    fn provider(&self) -> Arc<dyn Provider>;

    fn account(&self) -> AccountContext;

    /// Arranges that the order it gives meets `situation`. Each order has its own reference, and a card where the
    /// provider pays to cards.
    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination);

    /// Lets as much time pass as [`Situation::PendingThenPaid`] needs to be paid.
    async fn let_time_pass(&self);

    /// The provider's own, signed callback that says that `order`, sent and paid, is processed. Only asked of providers that have
    /// callbacks.
    async fn paid_callback(&self, order: &PayoutOrder) -> Wire;

    /// The stage that its provider plays on; mishaps come from there. Without one there is no wire that could break.
    fn stage(&self) -> Option<&Stage> {
        None
    }

    /// The same adapter, with its provider where nobody listens, and an account for it.
    fn unreachable(&self) -> (Arc<dyn Provider>, AccountContext) {
        (self.provider(), self.account())
    }

    /// How often the provider on the stage has paid this order.
    fn times_paid(&self, _order: &PayoutOrder) -> usize {
        0
    }
}

/// The promises: what `$then` makes of them, by sections of the page, each with its row's title.
#[macro_export]
macro_rules! promises {
    ($then:ident! $($given:tt)*) => {
        $crate::$then! { [$($given)*]
            "What an order meets" {
                paid_is_processed_in_full_and_stays_so: "paid";
                pending_becomes_paid_in_time: "pending, and paid later";
                a_decline_for_the_card_is_final_for_the_card: "declined for the card";
                a_decline_for_the_route_is_final_for_the_route: "declined for the route";
                a_slow_answer_is_an_answer: "slow, within the time-out";
                an_ambiguous_answer_is_unknown_and_the_inquiry_finds_it_paid: "ambiguous by the provider's own word, and paid";
                an_ambiguous_answer_is_unknown_and_the_inquiry_finds_nothing: "ambiguous by the provider's own word, and not taken";
                a_status_that_is_not_documented_is_unknown: "a status or code that isn't documented";
                nobody_listening_is_not_sent: "a refused connection";
            }
            "What may happen to the answer of an order" {
                a_reset_is_unknown: "the connection is reset";
                silence_is_unknown: "no answer within the time-out";
                a_cut_answer_is_unknown: "the answer is cut in its middle";
                garbage_is_unknown: "200 with garbage";
                an_empty_answer_is_unknown: "200 with nothing";
                a_huge_body_is_unknown: "200 with a huge body";
                a_500_page_is_unknown: "an error page: 500";
                a_502_page_is_unknown: "an error page: 502";
                a_503_page_is_unknown: "an error page: 503";
                a_504_page_is_unknown: "an error page: 504";
                a_redirect_is_unknown: "a redirect: 302";
            }
            "Questions" {
                an_unknown_reference_is_not_found: "about what was never sent";
                a_question_that_breaks_says_nothing: "whose answer meets any of these mishaps";
            }
            "The same order again" {
                a_duplicate_gets_the_same_answer_or_none_and_pays_once: "after an answer";
                a_resend_after_a_lost_answer_pays_once: "after a lost answer";
            }
            "Callbacks" {
                a_callback_is_verified_and_says_what_the_inquiry_says: "signed";
                a_replayed_callback_says_the_same_again: "replayed";
                a_wrong_signature_proves_nothing: "unsigned, forged or altered";
                garbage_is_never_an_outcome: "garbage, signed or not";
            }
            "The rest" {
                a_connection_is_used_again: "connections";
                debug_output_shows_no_card_number: "what logs show of a card";
                capabilities_hold_together: "what it says of itself";
            }
        }
    };
}

/// The promises as tests of one adapter.
#[macro_export]
macro_rules! promise_tests {
    ([$name:ident $subject:expr] $($section:literal { $($promise:ident: $title:literal;)* })*) => {
        mod $name {
            $($(
                #[tokio::test]
                async fn $promise() {
                    use super::super::*;
                    let subject = $subject;
                    $crate::contract::$promise(&subject).await;
                }
            )*)*
        }
    };
}

/// The promises as rows of the page.
#[macro_export]
macro_rules! promise_rows {
    ([] $($section:literal { $($promise:ident: $title:literal;)* })*) => {
        vec![$($(
            $crate::page::Row {
                section: $section,
                title: $title,
                observe: |subject| Box::pin($crate::contract::$promise(subject)),
            },
        )*)*]
    };
}

/// Runs the contract on the adapters, each a line `name: subject;`. Those that are named by their adapter's code are the columns of the
/// page.
#[macro_export]
macro_rules! contract {
    ($($name:ident: $subject:expr;)*) => {
        mod promised {
            $($crate::promises!(promise_tests! $name $subject);)*
        }

        fn columns() -> Vec<page::Column> {
            vec![$(page::Column { name: stringify!($name), subject: || Box::new($subject) },)*]
        }
    };
}

async fn send(subject: &dyn Subject, order: &PayoutOrder, to: &Destination) -> Outcome {
    subject.provider().send(&subject.account(), order, to).await
}

async fn inquire(subject: &dyn Subject, order: &PayoutOrder) -> Outcome {
    subject.provider().inquire(&subject.account(), &question(order)).await
}

fn read(
    subject: &dyn Subject,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Vec<ReportedOutcome>, CallbackError> {
    subject.provider().parse_callback(&subject.account(), headers, body)
}

#[track_caller]
fn assert_paid(outcome: &Outcome, amount_expected: Decimal) {
    match outcome {
        Outcome::Processed { amount, .. } => assert_eq!(*amount, amount_expected),
        other => panic!("not processed: {other:?}"),
    }
}

#[track_caller]
fn assert_unknown(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
}

#[track_caller]
fn declined(outcome: &Outcome) -> Resolution {
    match outcome {
        Outcome::Declined { resolution, .. } => *resolution,
        other => panic!("not declined: {other:?}"),
    }
}

/// What an outcome is called on the page.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Processed { .. } => "paid".to_owned(),
        Outcome::Pending { .. } => "pending".to_owned(),
        Outcome::Declined { resolution, .. } => format!("declined (`{resolution}`)"),
        Outcome::Returned { .. } => "came back".to_owned(),
        Outcome::NotFound => "not found".to_owned(),
        Outcome::NotSent { .. } => "not sent".to_owned(),
        Outcome::Unknown { .. } => "unknown".to_owned(),
    }
}

/// What a send met and what inquiries found afterwards, in their order.
fn then(sent: &Outcome, found: &[&Outcome]) -> String {
    found.iter().fold(word(sent), |text, found| match found {
        Outcome::NotFound => text + ", then not found",
        Outcome::Unknown { .. } => text + ", then still unknown",
        found => text + ", then found " + &word(found),
    })
}

/// Why a row has nothing to say of an adapter.
fn no_such_thing(why: &str) -> String {
    format!("no such thing: {why}")
}

const NO_WIRE: &str = "it is in the process, and has no wire";
const NO_CALLBACKS: &str = "the provider's API has no callbacks";

pub async fn paid_is_processed_in_full_and_stays_so(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::Paid).await;
    let outcome = send(subject, &order, &to).await;
    assert_paid(&outcome, order.amount);
    let found = inquire(subject, &order).await;
    assert_paid(&found, order.amount);
    then(&outcome, &[&found])
}

pub async fn pending_becomes_paid_in_time(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::PendingThenPaid).await;
    let outcome = send(subject, &order, &to).await;
    assert!(matches!(outcome, Outcome::Pending { .. }), "{outcome:?}");
    let early = inquire(subject, &order).await;
    assert!(matches!(early, Outcome::Pending { .. }), "{early:?}");
    subject.let_time_pass().await;
    let late = inquire(subject, &order).await;
    assert_paid(&late, order.amount);
    then(&outcome, &[&early, &late])
}

pub async fn a_decline_for_the_card_is_final_for_the_card(subject: &dyn Subject) -> String {
    decline(subject, Situation::DeclinedForCard, ResolutionClass::FinalForCard).await
}

pub async fn a_decline_for_the_route_is_final_for_the_route(subject: &dyn Subject) -> String {
    decline(subject, Situation::DeclinedForRoute, ResolutionClass::FinalForRoute).await
}

async fn decline(subject: &dyn Subject, situation: Situation, class: ResolutionClass) -> String {
    let (order, to) = subject.arrange(situation).await;
    let outcome = send(subject, &order, &to).await;
    assert_eq!(declined(&outcome).class(), class);
    let found = inquire(subject, &order).await;
    assert_eq!(declined(&found), declined(&outcome));
    then(&outcome, &[&found])
}

pub async fn a_slow_answer_is_an_answer(subject: &dyn Subject) -> String {
    const SLOW: Duration = Duration::from_millis(200);
    let Some(stage) = subject.stage() else { return no_such_thing(NO_WIRE) };
    let (order, to) = subject.arrange(Situation::Paid).await;
    stage.delay_next(SLOW);
    let began = Instant::now();
    let outcome = send(subject, &order, &to).await;
    assert!(began.elapsed() >= SLOW);
    assert_paid(&outcome, order.amount);
    word(&outcome)
}

pub async fn an_ambiguous_answer_is_unknown_and_the_inquiry_finds_it_paid(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::AmbiguousThenPaid).await;
    let outcome = send(subject, &order, &to).await;
    assert_unknown(&outcome);
    let found = inquire(subject, &order).await;
    assert_paid(&found, order.amount);
    then(&outcome, &[&found])
}

pub async fn an_ambiguous_answer_is_unknown_and_the_inquiry_finds_nothing(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::AmbiguousThenNotFound).await;
    let outcome = send(subject, &order, &to).await;
    assert_unknown(&outcome);
    for _ in 0..subject.provider().capabilities().not_found_confirmations {
        assert_eq!(inquire(subject, &order).await, Outcome::NotFound);
    }
    then(&outcome, &[&Outcome::NotFound])
}

/// A code that the adapter's table doesn't have proves nothing, however much it looks like a decline. What the provider calls the payment
/// in the same answer is told all the same.
pub async fn a_status_that_is_not_documented_is_unknown(subject: &dyn Subject) -> String {
    if subject.stage().is_none() {
        return no_such_thing("it has no code but those of its own table");
    }
    let (order, to) = subject.arrange(Situation::Undocumented).await;
    let outcome = send(subject, &order, &to).await;
    assert_unknown(&outcome);
    assert_ne!(ids(&outcome).original_id, None, "{outcome:?}");
    let found = inquire(subject, &order).await;
    assert_unknown(&found);
    format!("{}, with the payment's id", then(&outcome, &[&found]))
}

fn ids(outcome: &Outcome) -> &ProviderIds {
    match outcome {
        Outcome::Unknown { ids, .. } => ids,
        other => panic!("not unknown: {other:?}"),
    }
}

/// A refused connection proves that not one byte left; of a question it proves nothing.
pub async fn nobody_listening_is_not_sent(subject: &dyn Subject) -> String {
    if subject.stage().is_none() {
        return no_such_thing(NO_WIRE);
    }
    let (order, to) = subject.arrange(Situation::Paid).await;
    let (elsewhere, account) = subject.unreachable();
    let outcome = elsewhere.send(&account, &order, &to).await;
    assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
    let asked = elsewhere.inquire(&account, &question(&order)).await;
    assert_unknown(&asked);
    assert!(elsewhere.check_credentials(&account).await.is_err());
    format!("{}; a question: {}", word(&outcome), word(&asked))
}

/// Each mishap as a promise.
macro_rules! mishaps {
    ($($promise:ident: $mishap:expr;)*) => {
        $(
            pub async fn $promise(subject: &dyn Subject) -> String {
                whatever_breaks_is_unknown_and_pays_at_most_once(subject, $mishap).await
            }
        )*

        /// All of them are promised: none is left out of the page.
        #[test]
        fn every_mishap_is_a_promise() {
            assert_eq!([$($mishap),*], Mishap::ALL);
        }
    };
}

mishaps! {
    a_reset_is_unknown: Mishap::Reset;
    silence_is_unknown: Mishap::Silence;
    a_cut_answer_is_unknown: Mishap::Cut;
    garbage_is_unknown: Mishap::Garbage;
    an_empty_answer_is_unknown: Mishap::Empty;
    a_huge_body_is_unknown: Mishap::Huge;
    a_500_page_is_unknown: Mishap::Page(500);
    a_502_page_is_unknown: Mishap::Page(502);
    a_503_page_is_unknown: Mishap::Page(503);
    a_504_page_is_unknown: Mishap::Page(504);
    a_redirect_is_unknown: Mishap::Page(302);
}

/// A mishap with the order taken or not: the send tells nothing, the inquiry tells the truth, and where a resend is called safe, it is.
async fn whatever_breaks_is_unknown_and_pays_at_most_once(subject: &dyn Subject, mishap: Mishap) -> String {
    let Some(stage) = subject.stage() else { return no_such_thing(NO_WIRE) };
    let mut cell = Vec::new();
    for takes_effect in [true, false] {
        let case = format!("{mishap:?}, taken: {takes_effect}");
        let (order, to) = subject.arrange(Situation::Paid).await;
        stage.next(mishap, takes_effect);
        let outcome = send(subject, &order, &to).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{case}: {outcome:?}");
        let found = inquire(subject, &order).await;
        match &found {
            Outcome::Processed { amount, .. } if takes_effect => assert_eq!(*amount, order.amount, "{case}"),
            Outcome::NotFound if !takes_effect => {}
            other => panic!("{case}: the inquiry says {other:?}"),
        }
        let mut told = format!("{}: {}", if takes_effect { "taken" } else { "not taken" }, then(&outcome, &[&found]));
        if is_resend_safe(subject) {
            let again = PayoutOrder { resend: 1, ..order.clone() };
            let outcome = send(subject, &again, &to).await;
            assert!(!matches!(outcome, Outcome::Declined { .. } | Outcome::NotFound), "{case}: {outcome:?}");
            assert_paid(&inquire(subject, &order).await, order.amount);
            told = told + ", sent again: " + &word(&outcome);
        }
        let times = subject.times_paid(&order);
        assert!(times <= 1 && (times == 1 || !takes_effect), "{case}: paid {times} times");
        cell.push(told + if times == 1 { ", once" } else { "" });
    }
    cell.join("; ")
}

fn is_resend_safe(subject: &dyn Subject) -> bool {
    matches!(subject.provider().capabilities().resend, ResendSafety::SameReferenceWithin(_))
}

pub async fn an_unknown_reference_is_not_found(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::Paid).await;
    let found = inquire(subject, &order).await;
    assert_eq!(found, Outcome::NotFound);
    // Having been asked about changes nothing.
    assert_paid(&send(subject, &order, &to).await, order.amount);
    word(&found)
}

/// Every mishap, and the page of a path that isn't there, on the way of an answer to a question: it says nothing, least of all that the
/// payout wasn't found.
pub async fn a_question_that_breaks_says_nothing(subject: &dyn Subject) -> String {
    let Some(stage) = subject.stage() else { return no_such_thing(NO_WIRE) };
    let (order, to) = subject.arrange(Situation::Paid).await;
    assert_paid(&send(subject, &order, &to).await, order.amount);
    for mishap in Mishap::ALL.into_iter().chain([Mishap::Page(404)]) {
        stage.next_question(mishap);
        let outcome = inquire(subject, &order).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{mishap:?}: {outcome:?}");
    }
    let found = inquire(subject, &order).await;
    assert_paid(&found, order.amount);
    format!("unknown each time, then found {}", word(&found))
}

/// Where a resend is safe, it gets the first one's answer; where it isn't, it is never a decline, and nothing is paid by it.
pub async fn a_duplicate_gets_the_same_answer_or_none_and_pays_once(subject: &dyn Subject) -> String {
    if is_resend_safe(subject) {
        for situation in [Situation::Paid, Situation::DeclinedForCard, Situation::DeclinedForRoute] {
            let (order, to) = subject.arrange(situation).await;
            let first = send(subject, &order, &to).await;
            let again = PayoutOrder { resend: 1, ..order };
            // The ids are the provider's: one payment has one.
            assert_eq!(send(subject, &again, &to).await, first, "{situation:?}");
        }
        return "the first one's answer".to_owned();
    }
    let mut words = Vec::new();
    for situation in [Situation::Paid, Situation::DeclinedForCard, Situation::DeclinedForRoute] {
        let (order, to) = subject.arrange(situation).await;
        let first = send(subject, &order, &to).await;
        let again = PayoutOrder { resend: 1, ..order.clone() };
        let outcome = send(subject, &again, &to).await;
        assert!(matches!(outcome, Outcome::Unknown { .. } | Outcome::NotSent { .. }), "{situation:?}: {outcome:?}");
        assert_eq!(subject.times_paid(&order), usize::from(situation == Situation::Paid), "{situation:?}");
        assert_eq!(word(&inquire(subject, &order).await), word(&first), "{situation:?}");
        words.push(word(&outcome));
    }
    words.dedup();
    format!("{}: no repeat is safe, and none pays", words.join(", "))
}

pub async fn a_resend_after_a_lost_answer_pays_once(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::AmbiguousThenPaid).await;
    assert_unknown(&send(subject, &order, &to).await);
    let found = inquire(subject, &order).await;
    let again = PayoutOrder { resend: 1, ..order.clone() };
    let outcome = send(subject, &again, &to).await;
    assert!(!matches!(outcome, Outcome::Declined { .. } | Outcome::NotFound), "{outcome:?}");
    let found_again = inquire(subject, &order).await;
    assert_eq!(found_again, found);
    if subject.stage().is_some() {
        assert_eq!(subject.times_paid(&order), 1);
    }
    format!("{}, once", then(&outcome, &[&found_again]))
}

pub async fn a_connection_is_used_again(subject: &dyn Subject) -> String {
    let Some(stage) = subject.stage() else { return no_such_thing(NO_WIRE) };
    for _ in 0..5 {
        let (order, to) = subject.arrange(Situation::Paid).await;
        assert_paid(&send(subject, &order, &to).await, order.amount);
    }
    assert_eq!(stage.connections(), 1);
    "one for all orders".to_owned()
}

/// A payout that was paid, with its callback; `None` for an adapter without callbacks.
async fn paid_with_callback(subject: &dyn Subject) -> Option<(PayoutOrder, Wire)> {
    if !subject.provider().capabilities().has_callbacks {
        let nothing = read(subject, &[], b"{}");
        assert_eq!(nothing, Err(CallbackError::NotSupported));
        return None;
    }
    let (order, to) = subject.arrange(Situation::PendingThenPaid).await;
    send(subject, &order, &to).await;
    subject.let_time_pass().await;
    let wire = subject.paid_callback(&order).await;
    Some((order, wire))
}

pub async fn a_callback_is_verified_and_says_what_the_inquiry_says(subject: &dyn Subject) -> String {
    let Some((order, wire)) = paid_with_callback(subject).await else { return no_such_thing(NO_CALLBACKS) };
    let reports = read(subject, &wire.headers, &wire.body).expect("a good callback");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].reference, order.reference);
    assert_eq!(reports[0].outcome, inquire(subject, &order).await);
    // Header names have no case.
    let shouted: Vec<_> = wire.headers.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.clone())).collect();
    let told = word(&reports[0].outcome);
    assert_eq!(read(subject, &shouted, &wire.body), Ok(reports));
    format!("{told}, as an inquiry says")
}

pub async fn a_wrong_signature_proves_nothing(subject: &dyn Subject) -> String {
    let Some((order, wire)) = paid_with_callback(subject).await else { return no_such_thing(NO_CALLBACKS) };
    let not_verified = Err(CallbackError::NotVerified { references: vec![order.reference.clone()] });
    assert_eq!(read(subject, &[], &wire.body), not_verified, "unsigned");
    // Every header's value changed in its last character: whichever signs, signs no more.
    let forged: Vec<_> = wire.headers.iter().map(|(name, value)| (name.clone(), altered(value))).collect();
    assert_eq!(read(subject, &forged, &wire.body), not_verified, "signed by someone else");
    let mut spaced = wire.body.clone();
    spaced.push(b' ');
    assert_eq!(read(subject, &wire.headers, &spaced), not_verified, "one byte was added");
    "not believed, and names the payout to ask about".to_owned()
}

fn altered(value: &str) -> String {
    let mut text = value.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}

pub async fn garbage_is_never_an_outcome(subject: &dyn Subject) -> String {
    let Some((_, wire)) = paid_with_callback(subject).await else { return no_such_thing(NO_CALLBACKS) };
    let deep = vec![b'['; 100_000];
    let half = &wire.body[..wire.body.len() / 2];
    for body in [b"".as_slice(), b"{", b"null", b"[]", b"{\"reference\":7}", b"\xff\xfe\x00", half, &deep] {
        assert_eq!(read(subject, &[], body), Err(CallbackError::NotVerified { references: vec![] }));
        assert!(read(subject, &wire.headers, body).is_err());
    }
    let odd: Vec<(String, String)> =
        wire.headers.iter().map(|(name, _)| (name.clone(), "\u{0}é, not hex".to_owned())).collect();
    assert!(read(subject, &odd, &wire.body).is_err());
    "refused".to_owned()
}

/// Replays can't be told apart from a provider's own repeats, so they must say the same, in the same place of the
/// order.
pub async fn a_replayed_callback_says_the_same_again(subject: &dyn Subject) -> String {
    let Some((_, wire)) = paid_with_callback(subject).await else { return no_such_thing(NO_CALLBACKS) };
    let first = read(subject, &wire.headers, &wire.body).expect("a good callback");
    subject.let_time_pass().await;
    let told = word(&first[0].outcome);
    assert_eq!(read(subject, &wire.headers, &wire.body), Ok(first));
    format!("{told}, the same again")
}

pub async fn debug_output_shows_no_card_number(subject: &dyn Subject) -> String {
    let (order, to) = subject.arrange(Situation::Paid).await;
    let outcome = send(subject, &order, &to).await;
    let shown = format!("{order:?} {order:#?} {to:?} {to:#?} {outcome:?} {:?}", subject.account());
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    if let Some(card) = &to.card {
        assert!(!shown.contains(card.pan.expose()) && !digits.contains(card.pan.expose()));
        assert!(!shown.contains(card.holder.expose()));
    }
    for (name, value) in &to.fields {
        assert!(shown.contains(name.as_str()) && !shown.contains(value.as_str()), "{name}");
    }
    "neither number nor holder".to_owned()
}

pub async fn capabilities_hold_together(subject: &dyn Subject) -> String {
    let provider = subject.provider();
    let capabilities = provider.capabilities();
    assert!(!capabilities.currencies.is_empty());
    assert!(capabilities.not_found_confirmations >= 1);
    assert!(capabilities.send_timeout.as_millis() > 0);
    let (order, _) = subject.arrange(Situation::Paid).await;
    assert!(order.reference.len() <= capabilities.reference_length_max);
    assert!(order.reference.chars().all(|c| capabilities.reference_alphabet.contains(c)));
    assert!(capabilities.currencies.contains(&order.currency));
    let account = subject.account();
    let has_balance = provider.has_balance(&account, order.currency);
    assert!(capabilities.has_balance || !has_balance);
    assert_eq!(provider.balance(&account, order.currency).await.is_ok(), has_balance);
    assert_eq!(provider.check_credentials(&subject.account()).await, Ok(()));
    let resend = match capabilities.resend {
        ResendSafety::SameReferenceWithin(window) => format!("sent again for {} h", window.as_secs() / 3_600),
        ResendSafety::Never => "never sent again".to_owned(),
    };
    let callbacks = if capabilities.has_callbacks { "callbacks" } else { "no callbacks" };
    let balance = if capabilities.has_balance { "a balance" } else { "no balance" };
    let length = capabilities.reference_length_max;
    format!("{resend}, {callbacks}, {balance}, references of {length} characters")
}
