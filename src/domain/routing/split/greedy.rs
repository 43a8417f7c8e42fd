//! The quick ways to a plan: the largest part first, and equal shares. They find a plan or nothing; they prove nothing.

use rust_decimal::Decimal;

use super::{Part, Problem};

impl Problem<'_> {
    /// The largest part next, until the amount is placed; then the chosen lanes filled in the order of preference.
    pub(super) fn greedy(&self) -> Option<Vec<Part>> {
        let parts = self.largest_first()?;
        let mut lanes: Vec<usize> = parts.iter().map(|part| part.lane).collect();
        lanes.sort_unstable();
        self.fill(&lanes).or_else(|| self.is_valid(&parts).then_some(parts))
    }

    /// Parts on the given lanes, one for each time that a lane is named, that add up to the amount: minimums are set aside, then the
    /// first are filled first.
    pub(super) fn fill(&self, lanes: &[usize]) -> Option<Vec<Part>> {
        let mut left = self.budgets.to_vec();
        let mut parts: Vec<Part> =
            lanes.iter().map(|lane| Part { lane: *lane, units: self.lanes[*lane].min }).collect();
        let mut missing = self.units;
        for part in &parts {
            missing -= part.units;
            self.draw(*part, &mut left)?;
        }
        for part in &mut parts {
            if missing <= 0 {
                break;
            }
            self.give_back(*part, &mut left)?;
            let high = self.lanes[part.lane].max.min(part.units + missing);
            let most = self.most(part.lane, part.units, high, &left)?;
            missing -= most - part.units;
            part.units = most;
            self.draw(*part, &mut left)?;
        }
        (missing == 0).then_some(parts)
    }

    fn largest_first(&self) -> Option<Vec<Part>> {
        let mut left = self.budgets.to_vec();
        let mut rest = self.units;
        let mut parts: Vec<Part> = Vec::new();
        // What each lane could take now, by its limits and budgets: it changes only when a part draws on one of them.
        let mut most: Vec<Option<i128>> = (0..self.lanes.len()).map(|lane| self.most_of(lane, &left)).collect();
        while rest > 0 && parts.len() < self.parts_max {
            let usable = |lane: usize| most[lane].filter(|_| self.lanes[lane].min <= rest).map(|most| most.min(rest));
            // Of equals the first: `max_by_key` would take the last.
            let (lane, units) = (0..self.lanes.len())
                .rev()
                .filter_map(|lane| usable(lane).map(|units| (lane, units)))
                .max_by_key(|(_, units)| *units)?;
            let units = self.look_ahead(lane, units, rest, &most)?;
            let part = Part { lane, units };
            self.draw(part, &mut left)?;
            parts.push(part);
            rest -= units;
            for (other, most) in most.iter_mut().enumerate() {
                if most.is_some() && self.share_a_budget(lane, other) {
                    // It never grows, so what still fits is still the most.
                    *most = self.most_of(other, &left);
                }
            }
        }
        (rest == 0).then_some(parts)
    }

    /// `units`, or as much less that what remains isn't under every minimum.
    fn look_ahead(&self, lane: usize, units: i128, rest: i128, most: &[Option<i128>]) -> Option<i128> {
        let remainder = rest - units;
        let least = most.iter().zip(&self.lanes).filter(|(most, _)| most.is_some()).map(|(_, lane)| lane.min).min()?;
        if remainder == 0 || remainder >= least {
            return Some(units);
        }
        Some(rest - least).filter(|less| *less >= self.lanes[lane].min)
    }

    pub(super) fn most_of(&self, lane: usize, left: &[Decimal]) -> Option<i128> {
        self.most(lane, self.lanes[lane].min, self.lanes[lane].max, left)
    }

    fn share_a_budget(&self, one: usize, other: usize) -> bool {
        self.budgets_of(one).any(|budget| self.budgets_of(other).any(|other| other == budget))
    }

    /// One part a lane, as equal as their limits and budgets allow; `None` where they don't.
    pub(super) fn equal_shares(&self) -> Option<Vec<Part>> {
        let most = |lane: usize| self.most_of(lane, self.budgets).map(|most| (lane, most));
        let mut open: Vec<(usize, i128)> = (0..self.lanes.len()).filter_map(most).take(self.parts_max).collect();
        let mut full: Vec<Part> = Vec::new();
        let mut rest = self.units;
        loop {
            let count = i128::try_from(open.len()).ok()?;
            let share = rest.checked_div(count)?;
            let odd = rest - share * count;
            let share_at = |place: usize| share + i128::from(i128::try_from(place).is_ok_and(|place| place < odd));
            let shares = || open.iter().enumerate().map(|(place, (lane, most))| (place, share_at(place), *lane, *most));
            // The one that wants the most goes first: the others' shares grow by that.
            let too_little = shares()
                .filter(|(_, share, lane, _)| *share < self.lanes[*lane].min)
                .max_by_key(|(_, _, lane, _)| self.lanes[*lane].min)
                .map(|(place, ..)| place);
            let too_much = shares()
                .filter(|(_, share, _, most)| share > most)
                .min_by_key(|(_, _, _, most)| *most)
                .map(|(place, ..)| place);
            match (too_little, too_much) {
                (Some(place), _) => {
                    open.remove(place);
                }
                (None, Some(place)) => {
                    let (lane, most) = open.remove(place);
                    full.push(Part { lane, units: most });
                    rest -= most;
                }
                (None, None) => {
                    let parts: Vec<Part> =
                        shares().map(|(_, units, lane, _)| Part { lane, units }).chain(full).collect();
                    return self.is_valid(&parts).then_some(parts);
                }
            }
        }
    }
}
