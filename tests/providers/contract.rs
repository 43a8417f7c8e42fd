//! What every adapter promises, each promise a test.

use std::sync::Arc;

use async_trait::async_trait;
use landfall::domain::payout::{Resolution, ResolutionClass};
use landfall::providers::provider::{
    AccountContext, CallbackError, Destination, Inquiry, Outcome, PayoutOrder, Provider, ReportedOutcome, ResendSafety,
};
use rust_decimal::Decimal;

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

    /// The stage that its provider plays on, where it does; mishaps come from there.
    fn stage(&self) -> Option<&Stage> {
        None
    }

    /// The same adapter, with its provider where nobody listens.
    fn unreachable(&self) -> Arc<dyn Provider> {
        self.provider()
    }

    /// How often the provider on the stage has paid this order.
    fn times_paid(&self, _order: &PayoutOrder) -> usize {
        0
    }
}

/// Runs the contract on one adapter: `contract!(name, subject)`.
#[macro_export]
macro_rules! contract {
    ($name:ident, $subject:expr) => {
        $crate::contract!($name, $subject;
            paid_is_processed_in_full_and_stays_so
            pending_becomes_paid_in_time
            a_decline_for_the_card_is_final_for_the_card
            a_decline_for_the_route_is_final_for_the_route
            an_ambiguous_answer_is_unknown_and_the_inquiry_finds_it_paid
            an_ambiguous_answer_is_unknown_and_the_inquiry_finds_nothing
            a_duplicate_send_gets_the_same_answer_and_pays_once
            an_unknown_reference_is_not_found
            a_callback_is_verified_and_says_what_the_inquiry_says
            a_wrong_signature_proves_nothing
            garbage_is_never_an_outcome
            a_replayed_callback_says_the_same_again
            whatever_breaks_on_the_way_is_unknown_and_pays_at_most_once
            nobody_listening_is_not_sent
            a_status_that_is_not_documented_is_unknown
            a_connection_is_used_again
            debug_output_shows_no_card_number
            capabilities_hold_together
        );
    };
    ($name:ident, $subject:expr; $($promise:ident)*) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $promise() {
                    use super::*;
                    $crate::contract::$promise(&$subject).await;
                }
            )*
        }
    };
}

async fn send(subject: &dyn Subject, order: &PayoutOrder, to: &Destination) -> Outcome {
    subject.provider().send(&subject.account(), order, to).await
}

fn question(order: &PayoutOrder) -> Inquiry {
    Inquiry {
        reference: order.reference.clone(),
        provider_original_id: None,
        amount: order.amount,
        currency: order.currency,
        sent_at: landfall::clock::Clock::now(&landfall::clock::SystemClock),
    }
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

pub async fn paid_is_processed_in_full_and_stays_so(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::Paid).await;
    assert_paid(&send(subject, &order, &to).await, order.amount);
    assert_paid(&inquire(subject, &order).await, order.amount);
}

pub async fn pending_becomes_paid_in_time(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::PendingThenPaid).await;
    let outcome = send(subject, &order, &to).await;
    assert!(matches!(outcome, Outcome::Pending { .. }), "{outcome:?}");
    let outcome = inquire(subject, &order).await;
    assert!(matches!(outcome, Outcome::Pending { .. }), "{outcome:?}");
    subject.let_time_pass().await;
    assert_paid(&inquire(subject, &order).await, order.amount);
}

pub async fn a_decline_for_the_card_is_final_for_the_card(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::DeclinedForCard).await;
    let outcome = send(subject, &order, &to).await;
    assert_eq!(declined(&outcome).class(), ResolutionClass::FinalForCard);
    assert_eq!(declined(&inquire(subject, &order).await), declined(&outcome));
}

pub async fn a_decline_for_the_route_is_final_for_the_route(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::DeclinedForRoute).await;
    let outcome = send(subject, &order, &to).await;
    assert_eq!(declined(&outcome).class(), ResolutionClass::FinalForRoute);
    assert_eq!(declined(&inquire(subject, &order).await), declined(&outcome));
}

pub async fn an_ambiguous_answer_is_unknown_and_the_inquiry_finds_it_paid(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::AmbiguousThenPaid).await;
    assert_unknown(&send(subject, &order, &to).await);
    assert_paid(&inquire(subject, &order).await, order.amount);
}

pub async fn an_ambiguous_answer_is_unknown_and_the_inquiry_finds_nothing(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::AmbiguousThenNotFound).await;
    assert_unknown(&send(subject, &order, &to).await);
    for _ in 0..subject.provider().capabilities().not_found_confirmations {
        assert_eq!(inquire(subject, &order).await, Outcome::NotFound);
    }
}

/// For adapters that say a resend is safe; the others are never asked to.
pub async fn a_duplicate_send_gets_the_same_answer_and_pays_once(subject: &dyn Subject) {
    if subject.provider().capabilities().resend == ResendSafety::Never {
        return;
    }
    for situation in [Situation::Paid, Situation::DeclinedForCard, Situation::DeclinedForRoute] {
        let (order, to) = subject.arrange(situation).await;
        let first = send(subject, &order, &to).await;
        let again = PayoutOrder { resend: 1, ..order };
        // The ids are the provider's: one payment has one.
        assert_eq!(send(subject, &again, &to).await, first, "{situation:?}");
    }
    let (order, to) = subject.arrange(Situation::AmbiguousThenPaid).await;
    assert_unknown(&send(subject, &order, &to).await);
    let found = inquire(subject, &order).await;
    let again = PayoutOrder { resend: 1, ..order.clone() };
    send(subject, &again, &to).await;
    assert_eq!(inquire(subject, &order).await, found);
}

/// Every mishap, with the order taken or not: the send tells nothing, the inquiry tells the truth, and where a resend is called safe, it
/// is.
pub async fn whatever_breaks_on_the_way_is_unknown_and_pays_at_most_once(subject: &dyn Subject) {
    let Some(stage) = subject.stage() else { return };
    for mishap in Mishap::ALL {
        for takes_effect in [true, false] {
            let case = format!("{mishap:?}, taken: {takes_effect}");
            let (order, to) = subject.arrange(Situation::Paid).await;
            stage.next(mishap, takes_effect);
            let outcome = send(subject, &order, &to).await;
            assert!(matches!(outcome, Outcome::Unknown { .. }), "{case}: {outcome:?}");
            match inquire(subject, &order).await {
                Outcome::Processed { amount, .. } if takes_effect => assert_eq!(amount, order.amount, "{case}"),
                Outcome::NotFound if !takes_effect => {}
                other => panic!("{case}: the inquiry says {other:?}"),
            }
            if matches!(subject.provider().capabilities().resend, ResendSafety::SameReferenceWithin(_)) {
                let again = PayoutOrder { resend: 1, ..order.clone() };
                let outcome = send(subject, &again, &to).await;
                assert!(!matches!(outcome, Outcome::Declined { .. } | Outcome::NotFound), "{case}: {outcome:?}");
                assert_paid(&inquire(subject, &order).await, order.amount);
            }
            let times = subject.times_paid(&order);
            assert!(times <= 1 && (times == 1 || !takes_effect), "{case}: paid {times} times");
        }
    }
}

/// A refused connection proves that not one byte left; of a question it proves nothing.
pub async fn nobody_listening_is_not_sent(subject: &dyn Subject) {
    if subject.stage().is_none() {
        return;
    }
    let (order, to) = subject.arrange(Situation::Paid).await;
    let elsewhere = subject.unreachable();
    let outcome = elsewhere.send(&subject.account(), &order, &to).await;
    assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
    let outcome = elsewhere.inquire(&subject.account(), &question(&order)).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert!(elsewhere.check_credentials(&subject.account()).await.is_err());
}

/// A code that the adapter's table doesn't have proves nothing, however much it looks like a decline.
pub async fn a_status_that_is_not_documented_is_unknown(subject: &dyn Subject) {
    if subject.stage().is_none() {
        return;
    }
    let (order, to) = subject.arrange(Situation::Undocumented).await;
    assert_unknown(&send(subject, &order, &to).await);
    assert_unknown(&inquire(subject, &order).await);
}

pub async fn a_connection_is_used_again(subject: &dyn Subject) {
    let Some(stage) = subject.stage() else { return };
    for _ in 0..5 {
        let (order, to) = subject.arrange(Situation::Paid).await;
        assert_paid(&send(subject, &order, &to).await, order.amount);
    }
    assert_eq!(stage.connections(), 1);
}

pub async fn an_unknown_reference_is_not_found(subject: &dyn Subject) {
    let (order, to) = subject.arrange(Situation::Paid).await;
    assert_eq!(inquire(subject, &order).await, Outcome::NotFound);
    // Having been asked about changes nothing.
    assert_paid(&send(subject, &order, &to).await, order.amount);
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

pub async fn a_callback_is_verified_and_says_what_the_inquiry_says(subject: &dyn Subject) {
    let Some((order, wire)) = paid_with_callback(subject).await else { return };
    let reports = read(subject, &wire.headers, &wire.body).expect("a good callback");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].reference, order.reference);
    assert_eq!(reports[0].outcome, inquire(subject, &order).await);
    // Header names have no case.
    let shouted: Vec<_> = wire.headers.iter().map(|(name, value)| (name.to_ascii_uppercase(), value.clone())).collect();
    assert_eq!(read(subject, &shouted, &wire.body), Ok(reports));
}

pub async fn a_wrong_signature_proves_nothing(subject: &dyn Subject) {
    let Some((order, wire)) = paid_with_callback(subject).await else { return };
    let not_verified = Err(CallbackError::NotVerified { references: vec![order.reference.clone()] });
    assert_eq!(read(subject, &[], &wire.body), not_verified, "unsigned");
    // Every header's value changed in its last character: whichever signs, signs no more.
    let forged: Vec<_> = wire.headers.iter().map(|(name, value)| (name.clone(), altered(value))).collect();
    assert_eq!(read(subject, &forged, &wire.body), not_verified, "signed by someone else");
    let mut spaced = wire.body.clone();
    spaced.push(b' ');
    assert_eq!(read(subject, &wire.headers, &spaced), not_verified, "one byte was added");
}

fn altered(value: &str) -> String {
    let mut text = value.to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    text
}

pub async fn garbage_is_never_an_outcome(subject: &dyn Subject) {
    let Some((_, wire)) = paid_with_callback(subject).await else { return };
    let deep = vec![b'['; 100_000];
    let half = &wire.body[..wire.body.len() / 2];
    for body in [b"".as_slice(), b"{", b"null", b"[]", b"{\"reference\":7}", b"\xff\xfe\x00", half, &deep] {
        assert_eq!(read(subject, &[], body), Err(CallbackError::NotVerified { references: vec![] }));
        assert!(read(subject, &wire.headers, body).is_err());
    }
    let odd: Vec<(String, String)> =
        wire.headers.iter().map(|(name, _)| (name.clone(), "\u{0}é, not hex".to_owned())).collect();
    assert!(read(subject, &odd, &wire.body).is_err());
}

/// Replays can't be told apart from a provider's own repeats, so they must say the same, in the same place of the
/// order.
pub async fn a_replayed_callback_says_the_same_again(subject: &dyn Subject) {
    let Some((_, wire)) = paid_with_callback(subject).await else { return };
    let first = read(subject, &wire.headers, &wire.body).expect("a good callback");
    subject.let_time_pass().await;
    assert_eq!(read(subject, &wire.headers, &wire.body), Ok(first));
}

pub async fn debug_output_shows_no_card_number(subject: &dyn Subject) {
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
}

pub async fn capabilities_hold_together(subject: &dyn Subject) {
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
}
