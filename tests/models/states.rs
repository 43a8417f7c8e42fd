//! Payouts and payout requests: told as what is known of each, in a few facts, and held against the two transition tables.

use landfall::domain::payout::{PayoutEvent, PayoutStatus};
use landfall::domain::payout_request::{RequestEvent, RequestStatus};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::config;

/// What is known of a payout.
#[derive(Clone, Debug, Default)]
struct Payout {
    /// Bytes may have left.
    begun: bool,
    taken: bool,
    in_doubt: bool,
    /// The provider may still say anything.
    refused: bool,
    dropped: bool,
    paid: bool,
    /// Paid after it had been given up.
    late: bool,
    back: bool,
    /// Whether the last event was allowed.
    allowed: bool,
}

impl Payout {
    fn is_open(&self) -> bool {
        !(self.refused || self.dropped || self.paid)
    }

    fn may(&self, event: PayoutEvent) -> bool {
        let under_way = self.begun && self.is_open();
        match event {
            PayoutEvent::Invoked => self.is_open() && (!self.begun || self.in_doubt),
            PayoutEvent::Withheld => under_way && !self.taken && !self.in_doubt,
            PayoutEvent::Taken | PayoutEvent::Ambiguous | PayoutEvent::Refused => under_way,
            PayoutEvent::Paid => under_way || ((self.refused || self.dropped) && !self.paid),
            PayoutEvent::Canceled => !self.begun && self.is_open(),
            PayoutEvent::Returned => self.paid && !self.late && !self.back,
        }
    }

    fn status(&self) -> PayoutStatus {
        match self {
            Payout { late: true, .. } => PayoutStatus::LateProcessed,
            Payout { back: true, .. } => PayoutStatus::Returned,
            Payout { paid: true, .. } => PayoutStatus::Processed,
            Payout { refused: true, .. } => PayoutStatus::Failed,
            Payout { dropped: true, .. } => PayoutStatus::Canceled,
            Payout { in_doubt: true, .. } => PayoutStatus::Unknown,
            Payout { taken: true, .. } => PayoutStatus::Pending,
            Payout { begun: true, .. } => PayoutStatus::Invoking,
            _ => PayoutStatus::Created,
        }
    }
}

struct PayoutModel;

impl ReferenceStateMachine for PayoutModel {
    type State = Payout;
    type Transition = PayoutEvent;

    fn init_state() -> BoxedStrategy<Payout> {
        Just(Payout { allowed: true, ..Payout::default() }).boxed()
    }

    fn transitions(_: &Payout) -> BoxedStrategy<PayoutEvent> {
        proptest::sample::select(PayoutEvent::ALL.to_vec()).boxed()
    }

    fn apply(mut known: Payout, event: &PayoutEvent) -> Payout {
        known.allowed = known.may(*event);
        if !known.allowed {
            return known;
        }
        match event {
            PayoutEvent::Invoked => known.begun = true,
            PayoutEvent::Withheld => known.begun = false,
            PayoutEvent::Taken => (known.taken, known.in_doubt) = (true, false),
            PayoutEvent::Ambiguous => known.in_doubt = true,
            PayoutEvent::Paid => (known.late, known.paid) = (known.refused || known.dropped, true),
            PayoutEvent::Refused => known.refused = true,
            PayoutEvent::Canceled => known.dropped = true,
            PayoutEvent::Returned => known.back = true,
        }
        known
    }
}

struct PayoutTable;

impl StateMachineTest for PayoutTable {
    type SystemUnderTest = PayoutStatus;
    type Reference = PayoutModel;

    fn init_test(_: &Payout) -> PayoutStatus {
        PayoutStatus::Created
    }

    fn apply(status: PayoutStatus, known: &Payout, event: PayoutEvent) -> PayoutStatus {
        let next = status.apply(event);
        assert_eq!(next.is_ok(), known.allowed, "{status} {event:?}");
        // What is forbidden changes nothing.
        next.unwrap_or(status)
    }

    fn check_invariants(status: &PayoutStatus, known: &Payout) {
        assert_eq!(*status, known.status());
        assert_eq!(status.is_open(), known.is_open());
    }
}

/// What is known of a payout request.
#[derive(Clone, Debug, Default)]
struct Request {
    /// Somebody has looked whether all is there.
    looked_at: bool,
    complete: bool,
    routed: bool,
    /// A payout is open.
    under_way: bool,
    end: Option<RequestEvent>,
    back: bool,
    allowed: bool,
}

impl Request {
    fn may(&self, event: RequestEvent) -> bool {
        let over = self.end.is_some();
        let routed = self.routed && !over;
        match event {
            RequestEvent::DetailsMissing => !self.looked_at && !over,
            RequestEvent::MadeReady => !self.complete && !over,
            RequestEvent::DispatchStarted | RequestEvent::Terminated => self.complete && !self.routed && !over,
            RequestEvent::PayoutStarted => routed && !self.under_way,
            RequestEvent::FailedOver | RequestEvent::PaidInFull => routed && self.under_way,
            RequestEvent::PaidInPart => routed,
            RequestEvent::Failed => routed || (!self.looked_at && !over),
            RequestEvent::Expired | RequestEvent::Canceled => self.looked_at && !over,
            RequestEvent::Returned => {
                matches!(self.end, Some(RequestEvent::PaidInFull | RequestEvent::PaidInPart)) && !self.back
            }
        }
    }

    fn status(&self) -> RequestStatus {
        match self.end {
            _ if self.back => RequestStatus::Returned,
            Some(RequestEvent::PaidInFull) => RequestStatus::Processed,
            Some(RequestEvent::PaidInPart) => RequestStatus::PartiallyProcessed,
            Some(RequestEvent::Failed) => RequestStatus::Failed,
            Some(RequestEvent::Expired) => RequestStatus::Expired,
            Some(RequestEvent::Canceled) => RequestStatus::Canceled,
            Some(_) => RequestStatus::Terminated,
            None if self.under_way => RequestStatus::Pending,
            None if self.routed => RequestStatus::Dispatching,
            None if self.complete => RequestStatus::Ready,
            None if self.looked_at => RequestStatus::WaitingDetails,
            None => RequestStatus::Created,
        }
    }
}

struct RequestModel;

impl ReferenceStateMachine for RequestModel {
    type State = Request;
    type Transition = RequestEvent;

    fn init_state() -> BoxedStrategy<Request> {
        Just(Request { allowed: true, ..Request::default() }).boxed()
    }

    fn transitions(known: &Request) -> BoxedStrategy<RequestEvent> {
        // Now and then what is forbidden, else what leads on: drawn blindly, most sequences would end at once.
        let any = || proptest::sample::select(RequestEvent::ALL.to_vec());
        let ends = [RequestEvent::Failed, RequestEvent::Expired, RequestEvent::Canceled, RequestEvent::Terminated];
        let on: Vec<_> =
            RequestEvent::ALL.into_iter().filter(|event| known.may(*event) && !ends.contains(event)).collect();
        if on.is_empty() { any().boxed() } else { prop_oneof![1 => any(), 2 => proptest::sample::select(on)].boxed() }
    }

    fn apply(mut known: Request, event: &RequestEvent) -> Request {
        known.allowed = known.may(*event);
        if !known.allowed {
            return known;
        }
        match event {
            RequestEvent::DetailsMissing => known.looked_at = true,
            RequestEvent::MadeReady => (known.looked_at, known.complete) = (true, true),
            RequestEvent::DispatchStarted => known.routed = true,
            RequestEvent::PayoutStarted => known.under_way = true,
            RequestEvent::FailedOver => known.under_way = false,
            RequestEvent::Returned => known.back = true,
            end => known.end = Some(*end),
        }
        known
    }
}

struct RequestTable;

impl StateMachineTest for RequestTable {
    type SystemUnderTest = RequestStatus;
    type Reference = RequestModel;

    fn init_test(_: &Request) -> RequestStatus {
        RequestStatus::Created
    }

    fn apply(status: RequestStatus, known: &Request, event: RequestEvent) -> RequestStatus {
        let next = status.apply(event);
        assert_eq!(next.is_ok(), known.allowed, "{status} {event:?}");
        next.unwrap_or(status)
    }

    fn check_invariants(status: &RequestStatus, known: &Request) {
        assert_eq!(*status, known.status());
        assert_eq!(status.is_final(), known.end.is_some());
    }
}

prop_state_machine! {
    #![proptest_config(config(500))]

    #[test]
    fn a_payout_stands_where_what_is_known_of_it_says(sequential 1..25 => PayoutTable);

    #[test]
    fn a_request_stands_where_what_is_known_of_it_says(sequential 1..25 => RequestTable);
}
