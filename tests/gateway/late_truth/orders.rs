//! What can happen to a request, in which orders, and from which states: generated, not listed.

use super::told::Heard;

/// What happens to a request from outside, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    Cancel,
    Expiry,
    Paid,
    PaidLess,
    PaidMore,
    DeclinedForRoute,
    DeclinedForCard,
    Pending,
    NotFound,
    Returned,
    /// A refusal that comes from a send whose lease is over.
    StaleSend,
    /// What was told last, once more.
    Duplicate,
    /// A success of a payout that another has followed.
    PaidEarlier,
}

impl Happening {
    const ALL: [Happening; 13] = [
        Happening::Cancel,
        Happening::Expiry,
        Happening::Paid,
        Happening::PaidLess,
        Happening::PaidMore,
        Happening::DeclinedForRoute,
        Happening::DeclinedForCard,
        Happening::Pending,
        Happening::NotFound,
        Happening::Returned,
        Happening::StaleSend,
        Happening::Duplicate,
        Happening::PaidEarlier,
    ];

    /// Whether it says something of a payout: without one there is nothing to say.
    const fn is_about_a_payout(self) -> bool {
        !matches!(self, Happening::Cancel | Happening::Expiry)
    }
}

/// Where a request stands when it begins to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    WaitingDetails,
    Ready,
    /// Ready, and about to be dispatched.
    Queued,
    Terminated,
    /// Dispatching, with nothing open.
    BetweenRoutes,
    Invoking,
    Pending,
    Unknown,
    SecondTryInvoking,
    SecondTryPending,
    NotFoundModerated,
    LateModerated,
    PartlyPaidModerated,
    Processed,
    PartiallyProcessed,
    Failed,
    Expired,
    Canceled,
    Returned,
    LateProcessed,
    LateAndBack,
    /// To be sent again under the same reference.
    ToBeResent,
    Resent,
    /// One part is under way, the others are written down.
    PartsPlanned,
    PartsOpen,
    PartPaid,
    MoreThanAskedModerated,
}

/// A step on the way to a state.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Tell(Heard),
    Earlier(Heard),
    Do(Happening),
    /// What is due is dispatched.
    Wait,
}

impl State {
    /// Of a request that goes over one route after the other.
    pub const ONE_BY_ONE: [State; 21] = [
        State::WaitingDetails,
        State::Ready,
        State::Queued,
        State::Terminated,
        State::BetweenRoutes,
        State::Invoking,
        State::Pending,
        State::Unknown,
        State::SecondTryInvoking,
        State::SecondTryPending,
        State::NotFoundModerated,
        State::LateModerated,
        State::PartlyPaidModerated,
        State::Processed,
        State::PartiallyProcessed,
        State::Failed,
        State::Expired,
        State::Canceled,
        State::Returned,
        State::LateProcessed,
        State::LateAndBack,
    ];
    /// Where a provider takes the same reference once.
    pub const SENT_AGAIN: [State; 4] = [State::Unknown, State::ToBeResent, State::Resent, State::SecondTryPending];
    /// Of a request that no route carries whole.
    pub const IN_PARTS: [State; 4] =
        [State::PartsPlanned, State::PartsOpen, State::PartPaid, State::MoreThanAskedModerated];
    /// Of an offer.
    pub const OF_AN_OFFER: [State; 10] = [
        State::Queued,
        State::BetweenRoutes,
        State::Invoking,
        State::Unknown,
        State::SecondTryPending,
        State::LateModerated,
        State::Processed,
        State::Failed,
        State::Returned,
        State::LateProcessed,
    ];

    /// From the first send on.
    pub fn steps(self) -> &'static [Step] {
        use Heard as H;
        use Step::{Do, Earlier, Tell, Wait};
        match self {
            State::WaitingDetails
            | State::Ready
            | State::Queued
            | State::Terminated
            | State::Invoking
            | State::PartsPlanned
            | State::PartsOpen => &[],
            State::Pending => &[Tell(H::Pending)],
            State::Unknown => &[Tell(H::Nothing)],
            State::BetweenRoutes => &[Tell(H::DeclinedForRoute)],
            State::SecondTryInvoking => &[Tell(H::DeclinedForRoute), Wait],
            State::SecondTryPending => &[Tell(H::DeclinedForRoute), Wait, Tell(H::Pending)],
            State::LateModerated => &[Tell(H::DeclinedForRoute), Wait, Earlier(H::Paid)],
            State::NotFoundModerated | State::ToBeResent => &[Tell(H::Nothing), Tell(H::NotFound), Tell(H::NotFound)],
            State::Resent => &[Tell(H::Nothing), Tell(H::NotFound), Tell(H::NotFound), Wait],
            State::PartlyPaidModerated | State::PartiallyProcessed => &[Tell(H::PaidLess)],
            State::Processed => &[Tell(H::Paid)],
            State::Failed => &[Tell(H::DeclinedForCard)],
            State::Expired => &[Tell(H::Nothing), Do(Happening::Expiry), Tell(H::DeclinedForRoute)],
            State::Canceled => &[Tell(H::Nothing), Do(Happening::Cancel), Tell(H::DeclinedForRoute)],
            State::Returned => &[Tell(H::Paid), Tell(H::Returned)],
            State::LateProcessed => &[Tell(H::DeclinedForCard), Tell(H::Paid)],
            State::LateAndBack => &[Tell(H::DeclinedForCard), Tell(H::Paid), Tell(H::Returned)],
            State::PartPaid => &[Tell(H::Paid), Wait],
            State::MoreThanAskedModerated => &[Tell(H::PaidMore)],
        }
    }

    const fn has_payouts(self) -> bool {
        !matches!(self, State::WaitingDetails | State::Ready | State::Queued | State::Terminated)
    }
}

pub type Order = Vec<Happening>;

/// All orders of up to three that can happen in a state, repeats included.
fn all(state: State) -> Vec<Order> {
    let possible: Vec<Happening> = Happening::ALL
        .into_iter()
        // What is dispatched in between has payouts from then on.
        .filter(|happening| state.has_payouts() || state == State::Queued || !happening.is_about_a_payout())
        .collect();
    let mut orders: Vec<Order> = vec![Vec::new()];
    let mut longest = orders.clone();
    for _ in 0..3 {
        longest = longest
            .iter()
            .flat_map(|order| possible.iter().map(move |next| order.iter().copied().chain([*next]).collect()))
            .collect();
        orders.extend(longest.iter().cloned());
    }
    orders
}

/// Which orders a run takes: `LATE_TRUTH` is `all`, or `N/M` for every M-th from the N-th on; without it, those of one, and some of two
/// and of three.
pub fn chosen(states: &[State]) -> Vec<(State, Order)> {
    let asked = std::env::var("LATE_TRUTH").ok();
    let share = |text: &str| {
        let (from, of) = text.split_once('/').expect("LATE_TRUTH is all or N/M");
        (from.parse::<usize>().unwrap(), of.parse::<usize>().unwrap())
    };
    let (from, of) = match asked.as_deref() {
        Some("all") => (0, 1),
        Some(text) => share(text),
        None => (0, 0),
    };
    let orders = states.iter().flat_map(|state| all(*state).into_iter().map(|order| (*state, order)));
    let is_chosen = |(index, (_, order)): &(usize, (State, Order))| match (of, order.len()) {
        (0, 0 | 1) => true,
        (0, 2) => index % 13 == 5,
        (0, _) => index % 331 == 7,
        (of, _) => index % of == from,
    };
    orders.enumerate().filter(is_chosen).map(|(_, order)| order).collect()
}
