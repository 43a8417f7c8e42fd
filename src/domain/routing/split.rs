//! Splitting: an amount over several routes, as parts that add up to it exactly.
//!
//! Owns what a valid plan is ([`SplitRequest::is_valid`]) and how one is found. Reserves nothing, ranks nothing (lanes come in the
//! order of preference) and knows neither rates nor costs: what a part needs of its budgets is asked of the caller.
//!
//! # How a plan is found
//!
//! What a part needs never falls as it grows, so parts may always be made smaller, down to their minimums. For a given choice of
//! lanes (how many parts on each) the sums that can be reached are therefore **every** amount from the sum of the minimums up to
//! some maximum. So the search is over choices of lanes, and each choice is filled up to the amount with its minimums set aside
//! first, which is what keeps a remainder from falling under one.
//!
//! 1. `greedy`: the lane that can carry the most takes the next part, the preferred of equals; then the choice is filled in the order
//!    of preference. 50 lanes and close to 100 parts took 0.1 to 0.5 milliseconds in an optimised build, the more the more budgets
//!    bind (`splitting_is_fast` in the tests measures it).
//! 2. `search`: when that finds nothing, every choice of lanes, the fewest parts first, without those that provably can't do; and
//!    for choices that miss the amount by no more than rounding may account for, every choice of amounts.
//!
//! # The bound
//!
//! The question is as hard as packing bins, so the search stops after [`WORK_MAX`] steps, some 70 milliseconds at worst, with
//! [`PlanError::TooHard`]: neither a plan nor a proof that there is none. It ends by itself where greed succeeds, where minimums and
//! maximums leave a gap that no choice bridges, where budgets are short by more than the rounding of the parts' needs ([`Draw`] tells
//! how far it sees), and for a handful of lanes and parts always. Given up is what needs a proof within some units of all that the
//! budgets carry, and many lanes of single amounts that never add up.

mod greedy;
mod search;

use std::cell::Cell;

use rust_decimal::Decimal;

use crate::domain::exact::{self, ArithmeticError, Rounding};

/// The most parts of one plan.
pub const PARTS_MAX: usize = 100;
/// Steps of the search before it is given up: questions to `needs`, and choices looked at.
pub const WORK_MAX: u64 = 200_000;

/// A route that may carry parts, any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// In the service's currency; `None`: one smallest unit.
    pub amount_min: Option<Decimal>,
    /// In the service's currency.
    pub amount_max: Option<Decimal>,
    /// What it draws on: its deposit account, a turnover left. Lanes may share them.
    pub draws: Vec<Draw>,
}

/// That a lane draws on a budget, and the least that a part needs of it: `fixed + ratio x amount`.
///
/// The least only helps to prove that no plan exists: the nearer to the truth, the sooner it is known. Zeros are always right, more
/// than the truth is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Index into [`SplitRequest::budgets`].
    pub budget: usize,
    /// In the budget's currency: the fixed cost.
    pub fixed: Decimal,
    /// In the budget's currency for one of the service's: the rate, with the percentage if that has no upper limit.
    pub ratio: Decimal,
}

impl Draw {
    /// A draw of whose least nothing is known.
    pub fn on(budget: usize) -> Self {
        Self { budget, fixed: Decimal::ZERO, ratio: Decimal::ZERO }
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SplitOrder {
    /// As few parts as can be, preferred lanes filled first.
    Preferred,
    /// Equal shares over all lanes, to one smallest unit, the first lanes bearing the odd units. A lane whose maximum is less takes
    /// its maximum, one whose minimum is more takes nothing. What has no such shares is planned as [`SplitOrder::Preferred`].
    Equal,
}

/// What is to be divided, and over what.
#[derive(Clone, Debug)]
pub struct SplitRequest<'a> {
    /// In the service's currency.
    pub amount: Decimal,
    /// Decimals of the service's currency.
    pub scale: u8,
    /// The preferred first.
    pub lanes: &'a [Lane],
    /// What is left of each, in whatever `needs` answers for it: a deposit currency, say.
    pub budgets: &'a [Decimal],
    pub parts_max: usize,
    pub order: SplitOrder,
}

/// What a part of an amount on a lane takes of one of its budgets: `needs(lane, budget, amount)`, the amount in the service's
/// currency. `None` where it can't be told: such a part isn't made.
///
/// It must never fall as the amount grows, and one part must never need more than two of the same sum, which holds for anything
/// converted, with percent, fixed, least and most costs, and rounded up. The second is only relied on to prove that no plan exists.
pub type Needs<'a> = dyn Fn(usize, usize, Decimal) -> Option<Decimal> + 'a;

/// One part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedPart {
    /// Index into [`SplitRequest::lanes`].
    pub lane: usize,
    /// In the service's currency.
    pub amount: Decimal,
}

/// Why there is neither a plan nor the knowledge that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("an amount to be split is above zero and within its currency's decimals")]
    Amount,
    #[error("lane {lane} draws on budget {budget}, which there isn't")]
    NoSuchBudget { lane: usize, budget: usize },
    #[error("the search for a split was given up")]
    TooHard,
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// Divides the amount into parts: the preferred lanes' parts first. `None` if no valid split exists.
///
/// ```
/// use landfall::domain::routing::split::{Draw, Lane, PARTS_MAX, SplitOrder, SplitRequest, plan};
/// use rust_decimal::Decimal;
///
/// let lane = Lane { amount_min: Some(Decimal::TEN), amount_max: Some(Decimal::ONE_HUNDRED), draws: vec![Draw::on(0)] };
/// let request = SplitRequest {
///     amount: Decimal::from(101),
///     scale: 2,
///     lanes: &[lane],
///     budgets: &[Decimal::from(500)],
///     parts_max: PARTS_MAX,
///     order: SplitOrder::Preferred,
/// };
/// // 100 would leave a remainder of 1, below the minimum.
/// let parts = plan(&request, &|_, _, amount| Some(amount))?.unwrap_or_default();
/// assert_eq!(parts.iter().map(|part| part.amount).collect::<Vec<_>>(), [Decimal::from(91), Decimal::TEN]);
/// # Ok::<(), landfall::domain::routing::split::PlanError>(())
/// ```
pub fn plan(request: &SplitRequest<'_>, needs: &Needs<'_>) -> Result<Option<Vec<PlannedPart>>, PlanError> {
    let problem = Problem::of(request, needs)?;
    if request.order == SplitOrder::Equal
        && let Some(parts) = problem.equal_shares()
    {
        return problem.planned(&parts).map(Some);
    }
    if let Some(parts) = problem.greedy() {
        return problem.planned(&parts).map(Some);
    }
    match problem.search()? {
        Some(parts) => problem.planned(&parts).map(Some),
        None => Ok(None),
    }
}

impl SplitRequest<'_> {
    /// Whether `parts` are a split of the amount: the sum exact, every limit and every budget kept, not too many.
    pub fn is_valid(&self, parts: &[PlannedPart], needs: &Needs<'_>) -> bool {
        let Ok(problem) = Problem::of(self, needs) else { return false };
        let in_units = |part: &PlannedPart| {
            let rescaled = exact::rescale(part.amount, self.scale).ok()??;
            Some(Part { lane: part.lane, units: exact::units(rescaled, self.scale, Rounding::Down).ok()? })
        };
        parts.iter().map(in_units).collect::<Option<Vec<_>>>().is_some_and(|parts| problem.is_valid(&parts))
    }
}

/// A part while it is sought, in smallest units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    lane: usize,
    units: i128,
}

/// A lane in smallest units. No amount above the whole is of interest.
#[derive(Clone, Debug)]
struct Limits {
    min: i128,
    /// Below `min`: the lane carries nothing.
    max: i128,
    /// One for each budget, none negative.
    draws: Vec<Draw>,
}

/// The request in smallest units.
struct Problem<'a> {
    units: i128,
    scale: u8,
    lanes: Vec<Limits>,
    budgets: &'a [Decimal],
    parts_max: usize,
    needs: &'a Needs<'a>,
    /// Steps so far.
    work: Cell<u64>,
}

impl<'a> Problem<'a> {
    fn of(request: &'a SplitRequest<'_>, needs: &'a Needs<'_>) -> Result<Self, PlanError> {
        let amount = exact::rescale(request.amount, request.scale)?.ok_or(PlanError::Amount)?;
        let units = exact::units(amount, request.scale, Rounding::Down)?;
        if units <= 0 {
            return Err(PlanError::Amount);
        }
        let limits = |(index, lane): (usize, &Lane)| {
            if let Some(draw) = lane.draws.iter().find(|draw| draw.budget >= request.budgets.len()) {
                return Err(PlanError::NoSuchBudget { lane: index, budget: draw.budget });
            }
            let at_least_zero = |draw: &Draw| Draw {
                fixed: draw.fixed.max(Decimal::ZERO),
                ratio: draw.ratio.max(Decimal::ZERO),
                ..*draw
            };
            let mut draws: Vec<Draw> = lane.draws.iter().map(at_least_zero).collect();
            draws.sort_by_key(|draw| draw.budget);
            draws.dedup_by_key(|draw| draw.budget);
            // A limit too large for its units is above the amount.
            let least = lane.amount_min.map(|min| exact::units(min, request.scale, Rounding::Up).unwrap_or(i128::MAX));
            let most = lane.amount_max.map(|max| exact::units(max, request.scale, Rounding::Down).unwrap_or(i128::MAX));
            Ok(Limits { min: least.unwrap_or(1).max(1), max: most.unwrap_or(units).min(units), draws })
        };
        Ok(Self {
            units,
            scale: request.scale,
            lanes: request.lanes.iter().enumerate().map(limits).collect::<Result<_, _>>()?,
            budgets: request.budgets,
            parts_max: request.parts_max,
            needs,
            work: Cell::new(0),
        })
    }

    /// What a part takes of a budget; `None` if it can't be told, or is no amount.
    fn need(&self, lane: usize, budget: usize, units: i128) -> Option<Decimal> {
        self.work.set(self.work.get() + 1);
        let amount = exact::from_units(units, self.scale).ok()?;
        (self.needs)(lane, budget, amount).filter(|need| *need >= Decimal::ZERO)
    }

    fn budgets_of(&self, lane: usize) -> impl Iterator<Item = usize> {
        self.lanes[lane].draws.iter().map(|draw| draw.budget)
    }

    fn fits(&self, lane: usize, units: i128, left: &[Decimal]) -> bool {
        let fits = |budget: usize| self.need(lane, budget, units).is_some_and(|need| need <= left[budget]);
        self.budgets_of(lane).all(fits)
    }

    /// The most from `low` to `high` that fits what is left; `None` if not even `low` does.
    fn most(&self, lane: usize, low: i128, high: i128, left: &[Decimal]) -> Option<i128> {
        if high < low || !self.fits(lane, low, left) {
            return None;
        }
        if high == low || self.fits(lane, high, left) {
            return Some(high);
        }
        let (mut fitting, mut too_much) = (low, high);
        while too_much - fitting > 1 {
            let middle = fitting + (too_much - fitting) / 2;
            if self.fits(lane, middle, left) {
                fitting = middle;
            } else {
                too_much = middle;
            }
        }
        Some(fitting)
    }

    /// Takes a part out of what is left; `None`, and nothing taken, if it doesn't fit.
    fn draw(&self, part: Part, left: &mut [Decimal]) -> Option<()> {
        let mut rests = Vec::with_capacity(self.lanes[part.lane].draws.len());
        for budget in self.budgets_of(part.lane) {
            let rest = exact::sub(left[budget], self.need(part.lane, budget, part.units)?).ok()?;
            if rest < Decimal::ZERO {
                return None;
            }
            rests.push(rest);
        }
        for (budget, rest) in self.budgets_of(part.lane).zip(rests) {
            left[budget] = rest;
        }
        Some(())
    }

    /// Undoes [`Problem::draw`].
    fn give_back(&self, part: Part, left: &mut [Decimal]) -> Option<()> {
        for budget in self.budgets_of(part.lane) {
            left[budget] = exact::add(left[budget], self.need(part.lane, budget, part.units)?).ok()?;
        }
        Some(())
    }

    fn is_valid(&self, parts: &[Part]) -> bool {
        let mut left = self.budgets.to_vec();
        let kept = |part: &Part| {
            self.lanes.get(part.lane).is_some_and(|lane| lane.min <= part.units && part.units <= lane.max)
                && self.draw(*part, &mut left).is_some()
        };
        parts.len() <= self.parts_max
            && parts.iter().map(|part| part.units).sum::<i128>() == self.units
            && parts.iter().all(kept)
    }

    /// The parts as they are handed out. Whatever found them, they are checked once more.
    fn planned(&self, parts: &[Part]) -> Result<Vec<PlannedPart>, PlanError> {
        if !self.is_valid(parts) {
            return Err(PlanError::TooHard);
        }
        let mut sorted = parts.to_vec();
        sorted.sort_by_key(|part| part.lane);
        let planned =
            |part: &Part| Ok(PlannedPart { lane: part.lane, amount: exact::from_units(part.units, self.scale)? });
        sorted.iter().map(planned).collect()
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
