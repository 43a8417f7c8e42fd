//! The slow way to a plan, for when greed finds none: every choice of lanes that might do, and for those that miss the amount by
//! rounding every choice of amounts. Ends with a plan, with the proof that there is none, or with [`PlanError::TooHard`].

use rust_decimal::Decimal;

use super::{Draw, Part, PlanError, Problem, WORK_MAX};
use crate::domain::exact::{self, Rounding};

/// Choices kept for the search over amounts.
const OPEN_MAX: usize = 4_096;
/// Intervals kept of a set of sums; more are joined, which only makes the set larger than it is.
const INTERVALS_MAX: usize = 64;
/// The decimals that least needs are added up with; rounded in favour of a plan.
const LEAST_SCALE: u8 = 12;

/// Sums that might be reached, as intervals that don't touch, in rising order.
type Sums = Vec<(i128, i128)>;

/// What is known of the lanes before the search.
struct Bounds {
    /// The most of one part; `None`: the lane is out.
    part_max: Vec<Option<i128>>,
    /// `parts_most[lane][parts]`: the most that so many parts of the lane add up to.
    parts_most: Vec<Vec<i128>>,
    /// Budgets that several lanes draw on, those with the fewest lanes first.
    shared: Vec<usize>,
    /// `sums[lane][parts]`: what so many parts on the lanes from `lane` might add up to, shared budgets aside.
    sums: Vec<Vec<Sums>>,
}

/// Lanes with a most of them together.
struct Group {
    /// With the counts of their parts.
    lanes: Vec<(usize, usize)>,
    most: i128,
}

/// A choice of lanes while it is made.
struct Choice<'c> {
    bounds: &'c Bounds,
    /// A lane for each part, in rising order.
    lanes: Vec<usize>,
    /// Of every budget, with the chosen parts at their minimums.
    left: Vec<Decimal>,
    /// Choices that came short of the amount, but by no more than some proof allows.
    open: Vec<Vec<usize>>,
    open_left_out: bool,
}

impl Problem<'_> {
    pub(super) fn search(&self) -> Result<Option<Vec<Part>>, PlanError> {
        let Some(bounds) = self.bounds() else { return Ok(None) };
        let mut choice = Choice {
            bounds: &bounds,
            lanes: Vec::new(),
            left: self.budgets.to_vec(),
            open: Vec::new(),
            open_left_out: false,
        };
        for parts in 1..=self.parts_max {
            if let Some(found) = self.choose(&mut choice, 0, parts, (0, 0))? {
                return Ok(Some(found));
            }
        }
        for lanes in std::mem::take(&mut choice.open) {
            if let Some(found) = self.every_amount(&lanes)? {
                return Ok(Some(found));
            }
        }
        if choice.open_left_out { Err(PlanError::TooHard) } else { Ok(None) }
    }

    /// `None` if they already prove that there is no plan.
    fn bounds(&self) -> Option<Bounds> {
        let part_max: Vec<_> = (0..self.lanes.len()).map(|lane| self.most_of(lane, self.budgets)).collect();
        let usable: Vec<usize> = (0..self.lanes.len()).filter(|lane| part_max[*lane].is_some()).collect();
        let parts_most = (0..self.lanes.len()).map(|lane| self.parts_most(lane, part_max[lane])).collect();
        let sharing =
            |budget: usize| usable.iter().filter(|lane| self.budgets_of(**lane).any(|other| other == budget)).count();
        let mut shared: Vec<usize> = (0..self.budgets.len()).filter(|budget| sharing(*budget) > 1).collect();
        shared.sort_by_key(|budget| sharing(*budget));
        let mut bounds = Bounds { part_max, parts_most, shared, sums: Vec::new() };
        // Fixed needs aside: how many parts a lane has isn't known yet.
        let alone = |lane: &usize| Group {
            lanes: vec![(*lane, 0)],
            most: bounds.parts_most[*lane].iter().copied().max().unwrap_or(0),
        };
        if self.most_together(&bounds, usable.iter().map(alone).collect()) < self.units {
            return None;
        }
        bounds.sums = self.sums(&bounds);
        let reached = bounds.sums.first()?.iter().any(|sums| overlaps(sums, self.units, self.units));
        reached.then_some(bounds)
    }

    /// By count of parts, from none to as many as there may be, the most of them.
    fn parts_most(&self, lane: usize, part_max: Option<i128>) -> Vec<i128> {
        let Some(part_max) = part_max else { return vec![0; self.parts_max + 1] };
        // One part never needs more than two of the same sum, so all parts together are at most the largest single one that the
        // budgets would carry, were there no maximum.
        let as_one = self.most(lane, 1, self.units, self.budgets).unwrap_or(self.units);
        let by_draw = |draw: &Draw, parts: usize| {
            self.most_at(draw.ratio, self.without_fixed(self.budgets[draw.budget], draw, parts)?)
        };
        (0..=self.parts_max)
            .map(|parts| {
                let apart = part_max.saturating_mul(i128::try_from(parts).unwrap_or(i128::MAX));
                let by_draws = self.lanes[lane].draws.iter().filter_map(|draw| by_draw(draw, parts));
                by_draws.fold(apart.min(as_one), i128::min)
            })
            .collect()
    }

    /// The most of all groups together: where they share a budget, it is spent on those first that need the least of it.
    fn most_together(&self, bounds: &Bounds, mut groups: Vec<Group>) -> i128 {
        let draws_on = |lane: usize, budget: usize| self.lanes[lane].draws.iter().find(|draw| draw.budget == budget);
        for budget in bounds.shared.iter().copied() {
            // Only groups that draw on it with every lane.
            let (inside, outside): (Vec<Group>, Vec<Group>) = groups
                .into_iter()
                .partition(|group| group.lanes.iter().all(|(lane, _)| draws_on(*lane, budget).is_some()));
            groups = outside;
            let apart = inside.iter().fold(0_i128, |sum, group| sum.saturating_add(group.most));
            let draws: Vec<(Vec<(Draw, usize)>, i128)> = inside
                .iter()
                .map(|group| {
                    let draw = |(lane, parts): &(usize, usize)| draws_on(*lane, budget).map(|draw| (*draw, *parts));
                    (group.lanes.iter().filter_map(draw).collect(), group.most)
                })
                .collect();
            match self.most_of_shared(budget, draws) {
                Some(most) if most < apart => {
                    groups.push(Group { lanes: inside.into_iter().flat_map(|group| group.lanes).collect(), most });
                }
                Some(_) | None => groups.extend(inside),
            }
        }
        groups.iter().fold(0, |sum, group| sum.saturating_add(group.most))
    }

    /// The most that groups of lanes, each with a most of its own, make of one budget; `None` if there's no telling.
    fn most_of_shared(&self, budget: usize, groups: Vec<(Vec<(Draw, usize)>, i128)>) -> Option<i128> {
        let mut left = self.budgets[budget];
        let mut by_ratio = Vec::with_capacity(groups.len());
        for (draws, most) in &groups {
            for (draw, parts) in draws {
                self.work.set(self.work.get() + 1);
                left = self.without_fixed(left, draw, *parts)?;
            }
            by_ratio.push((draws.iter().map(|(draw, _)| draw.ratio).min()?, *most));
        }
        by_ratio.sort_unstable();
        let mut sum = 0_i128;
        for (ratio, most) in by_ratio {
            let most = self.most_at(ratio, left).map_or(most, |carried| carried.min(most));
            let carried = exact::from_units(most, self.scale).ok()?;
            left = exact::sub(left, exact::mul(ratio, carried, LEAST_SCALE, Rounding::Down).ok()?).ok()?;
            sum = sum.saturating_add(most);
        }
        Some(sum)
    }

    fn without_fixed(&self, left: Decimal, draw: &Draw, parts: usize) -> Option<Decimal> {
        if draw.fixed.is_zero() || parts == 0 {
            return Some(left);
        }
        exact::sub(left, exact::mul(draw.fixed, Decimal::from(parts), LEAST_SCALE, Rounding::Down).ok()?).ok()
    }

    /// How much a budget carries at so much of it for one; `None` if there's no telling.
    fn most_at(&self, ratio: Decimal, left: Decimal) -> Option<i128> {
        if ratio.is_zero() {
            return None;
        }
        let carried = exact::div(left, ratio, self.scale, Rounding::Down).ok()?;
        exact::units(carried, self.scale, Rounding::Down).ok().map(|units| units.max(0))
    }

    fn sums(&self, bounds: &Bounds) -> Vec<Vec<Sums>> {
        let mut none: Vec<Sums> = vec![Sums::new(); self.parts_max + 1];
        none[0].push((0, 0));
        let mut by_lane = vec![none];
        for lane in (0..self.lanes.len()).rev() {
            let after = &by_lane[by_lane.len() - 1];
            let mut with: Vec<Sums> = vec![Sums::new(); self.parts_max + 1];
            for (own, low, high) in self.own_sums(bounds, lane) {
                for (after, with) in after[..=self.parts_max - own].iter().zip(&mut with[own..]) {
                    with.extend(
                        after.iter().map(|(from, to)| (from + low, to + high)).filter(|sum| sum.0 <= self.units),
                    );
                }
            }
            with.iter_mut().for_each(join);
            by_lane.push(with);
        }
        by_lane.reverse();
        by_lane
    }

    /// For each count of parts that the lane might carry, the least and the most of them together.
    fn own_sums(&self, bounds: &Bounds, lane: usize) -> Vec<(usize, i128, i128)> {
        let min = self.lanes[lane].min;
        (0..=self.parts_max)
            .map_while(|parts| {
                let count = i128::try_from(parts).ok()?;
                let (low, high) = (min.saturating_mul(count), bounds.parts_most[lane][parts]);
                (parts == 0 || (bounds.part_max[lane].is_some() && low <= high && low <= self.units))
                    .then_some((parts, low, high))
            })
            .collect()
    }

    /// Exactly `parts` more parts on the lanes from `lane` on. `sum`: the least and the most of what is chosen.
    fn choose(
        &self,
        choice: &mut Choice<'_>,
        lane: usize,
        parts: usize,
        sum: (i128, i128),
    ) -> Result<Option<Vec<Part>>, PlanError> {
        if parts == 0 {
            return self.try_choice(choice);
        }
        if lane == self.lanes.len() {
            return Ok(None);
        }
        let chosen = choice.lanes.len();
        let least = Part { lane, units: self.lanes[lane].min };
        let mut own = 0_usize;
        if choice.bounds.part_max[lane].is_some() {
            while own < parts && self.draw(least, &mut choice.left).is_some() {
                choice.lanes.push(lane);
                own += 1;
            }
        }
        let mut found = Ok(None);
        loop {
            let count = i128::try_from(own).unwrap_or(i128::MAX);
            let low = least.units.saturating_mul(count).saturating_add(sum.0);
            let high = choice.bounds.parts_most[lane][own].saturating_add(sum.1);
            let rest = &choice.bounds.sums[lane + 1][parts - own];
            if overlaps(rest, self.units.saturating_sub(high), self.units.saturating_sub(low)) {
                found = self.choose(choice, lane + 1, parts - own, (low, high));
            }
            self.work.set(self.work.get() + 1);
            if self.work.get() > WORK_MAX && !matches!(found, Ok(Some(_))) {
                found = Err(PlanError::TooHard);
            }
            if own == 0 || !matches!(found, Ok(None)) {
                break;
            }
            own -= 1;
            choice.lanes.pop();
            self.give_back(least, &mut choice.left).ok_or(PlanError::TooHard)?;
        }
        choice.lanes.truncate(chosen);
        found
    }

    fn try_choice(&self, choice: &mut Choice<'_>) -> Result<Option<Vec<Part>>, PlanError> {
        let mut counted: Vec<(usize, usize)> = Vec::new();
        for lane in &choice.lanes {
            match counted.last_mut() {
                Some(last) if last.0 == *lane => last.1 += 1,
                Some(_) | None => counted.push((*lane, 1)),
            }
        }
        let alone = |(lane, parts)| Group { lanes: vec![(lane, parts)], most: choice.bounds.parts_most[lane][parts] };
        if self.most_together(choice.bounds, counted.into_iter().map(alone).collect()) < self.units {
            return Ok(None);
        }
        let mut lanes = choice.lanes.clone();
        if let Some(parts) = self.fill(&lanes) {
            return Ok(Some(parts));
        }
        // Where lanes share a budget, it may matter who is filled first: least needing first.
        lanes.sort_by_cached_key(|lane| {
            let top = choice.bounds.part_max[*lane].unwrap_or(0);
            let need = |budget: usize| {
                let amount = exact::from_units(top, self.scale).ok()?;
                exact::div(self.need(*lane, budget, top)?, amount, LEAST_SCALE, Rounding::Up).ok()
            };
            self.budgets_of(*lane).map(need).max().flatten()
        });
        if let Some(parts) = self.fill(&lanes) {
            return Ok(Some(parts));
        }
        if choice.open.len() < OPEN_MAX {
            choice.open.push(choice.lanes.clone());
        } else {
            choice.open_left_out = true;
        }
        Ok(None)
    }

    /// The search over amounts for one choice of lanes, in rising order.
    fn every_amount(&self, lanes: &[usize]) -> Result<Option<Vec<Part>>, PlanError> {
        let mut left = self.budgets.to_vec();
        let mut parts: Vec<Part> =
            lanes.iter().map(|lane| Part { lane: *lane, units: self.lanes[*lane].min }).collect();
        if parts.iter().any(|part| self.draw(*part, &mut left).is_none()) {
            return Ok(None);
        }
        let mut most = Vec::with_capacity(parts.len());
        for part in &parts {
            self.give_back(*part, &mut left).ok_or(PlanError::TooHard)?;
            most.push(self.most_of(part.lane, &left).unwrap_or(0));
            self.draw(*part, &mut left).ok_or(PlanError::TooHard)?;
        }
        Ok(self.raise(&mut parts, 0, &most, &mut left)?.then_some(parts))
    }

    /// Tries every amount of the part `at` and of those after it, which are at their minimums and drawn.
    fn raise(&self, parts: &mut [Part], at: usize, most: &[i128], left: &mut Vec<Decimal>) -> Result<bool, PlanError> {
        if self.work.get() > WORK_MAX {
            return Err(PlanError::TooHard);
        }
        let least = parts[at];
        let sum = |parts: &[Part]| parts.iter().map(|part| part.units).sum::<i128>();
        let others_least = sum(parts) - least.units;
        let others_most = sum(&parts[..at]) + most[at + 1..].iter().sum::<i128>();
        // Parts of one lane are interchangeable: the largest first.
        let as_before = parts[..at].last().filter(|before| before.lane == least.lane).map(|before| before.units);
        let high = most[at].min(self.units - others_least).min(as_before.unwrap_or(i128::MAX));
        self.give_back(least, left).ok_or(PlanError::TooHard)?;
        let mut units = self.most(least.lane, least.units, high, left).unwrap_or(0);
        let last = at + 1 == parts.len();
        let mut is_first = true;
        while units >= least.units && units + others_most >= self.units {
            // An amount that needs no less than the next larger one has nothing over it.
            if is_first || self.needs_less(least.lane, units) {
                let part = Part { lane: least.lane, units };
                parts[at] = part;
                if last {
                    if sum(parts) == self.units {
                        return Ok(true);
                    }
                    break;
                }
                self.draw(part, left).ok_or(PlanError::TooHard)?;
                if self.raise(parts, at + 1, most, left)? {
                    return Ok(true);
                }
                self.give_back(part, left).ok_or(PlanError::TooHard)?;
            }
            is_first = false;
            units -= 1;
        }
        parts[at] = least;
        self.draw(least, left).ok_or(PlanError::TooHard)?;
        Ok(false)
    }

    /// Whether a unit more would need more.
    fn needs_less(&self, lane: usize, units: i128) -> bool {
        let less = |budget: usize| self.need(lane, budget, units) < self.need(lane, budget, units + 1);
        self.budgets_of(lane).any(less)
    }
}

/// Whether any of the sums is within the bounds.
fn overlaps(sums: &Sums, low: i128, high: i128) -> bool {
    low <= high && sums.iter().any(|(from, to)| *from <= high && low <= *to)
}

/// Sorts intervals and joins those that touch; beyond [`INTERVALS_MAX`], also those with the smallest gaps.
fn join(sums: &mut Sums) {
    sums.sort_unstable();
    let mut gap = 1;
    loop {
        let mut joined: Sums = Vec::with_capacity(sums.len().min(INTERVALS_MAX));
        for (from, to) in sums.iter().copied() {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(gap) => last.1 = last.1.max(to),
                Some(_) | None => joined.push((from, to)),
            }
        }
        *sums = joined;
        if sums.len() <= INTERVALS_MAX {
            return;
        }
        gap *= 4;
    }
}
