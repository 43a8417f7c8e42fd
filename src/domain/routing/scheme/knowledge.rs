//! What is known on the way to a node: which conditions held and which didn't. Finds the conditions that then can only come
//! out one way, as far as that is cheap to tell: the same condition again, and comparisons of one attribute against each
//! other. It may miss some; it never takes a branch for dead that a request can reach.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use rust_decimal::Decimal;

use crate::domain::routing::attributes::{Actual, Attribute, Kind};
use crate::domain::routing::condition::{Comparison, Condition, Operands, Operator};

#[derive(Clone, Debug, Default)]
pub(super) struct Knowledge {
    /// Conditions of the path as they came out.
    conditions: Vec<(Condition, bool)>,
    attributes: Vec<(Attribute, Tz, Values)>,
}

/// What an attribute's value can still be.
#[derive(Clone, Debug)]
struct Values {
    /// Whether it has a value; `None`: it may or may not. What follows holds if it has one.
    known: Option<bool>,
    low: Option<End>,
    high: Option<End>,
    /// It is one of these; `None`: of any.
    texts: Option<BTreeSet<String>>,
    /// It is none of these.
    not_texts: BTreeSet<String>,
}

/// An end of a range.
#[derive(Clone, Copy, Debug)]
struct End {
    at: Decimal,
    included: bool,
}

impl Knowledge {
    /// How the condition comes out wherever this is known; `None`: it may be either.
    pub fn verdict(&self, condition: &Condition) -> Option<bool> {
        if let Some((_, truth)) = self.conditions.iter().find(|(known, _)| known == condition) {
            return Some(*truth);
        }
        match condition {
            Condition::All(conditions) => self.verdict_of_group(conditions, false),
            Condition::Any(conditions) => self.verdict_of_group(conditions, true),
            Condition::Compare(comparison) => self.values(comparison).verdict(comparison),
        }
    }

    /// A group is decided by one condition that comes out as `decisive`; each is looked at knowing that those before it
    /// didn't.
    fn verdict_of_group(&self, conditions: &[Condition], decisive: bool) -> Option<bool> {
        let mut knowledge = self.clone();
        let mut open = false;
        for condition in conditions {
            match knowledge.verdict(condition) {
                Some(truth) if truth == decisive => return Some(decisive),
                Some(_) => {}
                None => {
                    open = true;
                    knowledge = knowledge.assuming(condition, !decisive);
                }
            }
        }
        (!open).then_some(!decisive)
    }

    /// What is known where the condition came out as `truth`.
    pub fn assuming(&self, condition: &Condition, truth: bool) -> Self {
        let mut knowledge = self.clone();
        knowledge.assume(condition, truth);
        knowledge
    }

    fn assume(&mut self, condition: &Condition, truth: bool) {
        self.conditions.push((condition.clone(), truth));
        match condition {
            Condition::All(conditions) if truth => conditions.iter().for_each(|one| self.assume(one, true)),
            Condition::Any(conditions) if !truth => conditions.iter().for_each(|one| self.assume(one, false)),
            // Of the others only that one of several came out so is known.
            Condition::All(conditions) | Condition::Any(conditions) => {
                if let [one] = conditions.as_slice() {
                    self.assume(one, truth);
                }
            }
            Condition::Compare(comparison) => {
                let mut values = self.values(comparison);
                values.assume(comparison, truth);
                self.attributes.retain(|(attribute, zone, _)| !is_of(comparison, attribute, *zone));
                self.attributes.push((comparison.attribute.clone(), comparison.zone, values));
            }
        }
    }

    fn values(&self, comparison: &Comparison) -> Values {
        let known = self.attributes.iter().find(|(attribute, zone, _)| is_of(comparison, attribute, *zone));
        known.map_or_else(|| Values::of(&comparison.attribute), |(_, _, values)| values.clone())
    }
}

fn is_of(comparison: &Comparison, attribute: &Attribute, zone: Tz) -> bool {
    comparison.attribute == *attribute && comparison.zone == zone
}

impl Values {
    /// What the attribute's values are before anything is known.
    fn of(attribute: &Attribute) -> Self {
        let (low, high) = attribute.range();
        let end = |at: Decimal| End { at, included: true };
        let texts = match attribute.kind() {
            Kind::Choice(choices) => Some(choices.iter().map(|&choice| choice.to_owned()).collect()),
            Kind::Number | Kind::Text | Kind::Any => None,
        };
        Self {
            known: attribute.is_always_known().then_some(true),
            low: low.map(end),
            high: high.map(end),
            texts,
            not_texts: BTreeSet::new(),
        }
    }

    fn verdict(&self, comparison: &Comparison) -> Option<bool> {
        if let Operands::Existence(wanted) = comparison.operands {
            return self.known.map(|known| known == wanted);
        }
        if self.known == Some(false) {
            return Some(false);
        }
        // A value of metadata has no type of its own: with another type it would be missing.
        if comparison.attribute.kind() == Kind::Any {
            return None;
        }
        let mut holding = self.clone();
        holding.narrow(comparison.operator, &comparison.operands, true);
        let mut failing = self.clone();
        failing.narrow(comparison.operator, &comparison.operands, false);
        if holding.is_empty() {
            Some(false)
        } else if failing.is_empty() && self.known == Some(true) {
            Some(true)
        } else {
            None
        }
    }

    fn assume(&mut self, comparison: &Comparison, truth: bool) {
        if let Operands::Existence(wanted) = comparison.operands {
            self.known = Some(wanted == truth);
            return;
        }
        if truth {
            self.known = Some(true);
        }
        if comparison.attribute.kind() != Kind::Any {
            self.narrow(comparison.operator, &comparison.operands, truth);
        }
    }

    /// Leaves of the values those for which the comparison comes out as `truth`, or more where that isn't one range.
    fn narrow(&mut self, operator: Operator, operands: &Operands, truth: bool) {
        match operands {
            Operands::Numbers(numbers) => self.narrow_numbers(operator, numbers, truth),
            Operands::Texts(texts) => self.narrow_texts(operator, operands, texts, truth),
            Operands::Flags(_) | Operands::Existence(_) => {}
        }
    }

    fn narrow_numbers(&mut self, operator: Operator, numbers: &[Decimal], truth: bool) {
        let (Some(first), Some(last)) = (numbers.first().copied(), numbers.last().copied()) else { return };
        let included = |at| End { at, included: true };
        let excluded = |at| End { at, included: false };
        match (operator, truth) {
            (Operator::Less, true) | (Operator::GreaterOrEqual, false) => self.below(excluded(first)),
            (Operator::LessOrEqual, true) | (Operator::Greater, false) => self.below(included(first)),
            (Operator::Greater, true) | (Operator::LessOrEqual, false) => self.above(excluded(first)),
            (Operator::GreaterOrEqual, true) | (Operator::Less, false) => self.above(included(first)),
            (Operator::Equal | Operator::In | Operator::Between, true)
            | (Operator::NotEqual | Operator::NotIn, false) => {
                self.above(included(first));
                self.below(included(last));
                self.drop_if_none(operator, numbers);
            }
            (Operator::Equal | Operator::In | Operator::Between, false)
            | (Operator::NotEqual | Operator::NotIn, true) => {
                let one = if operator == Operator::Between { first..=last } else { first..=first };
                self.without(*one.start(), *one.end(), numbers.len() == 1 || operator == Operator::Between);
            }
            (Operator::StartsWith | Operator::Exists, _) => {}
        }
    }

    /// Empties the range if it holds none of a list's numbers.
    fn drop_if_none(&mut self, operator: Operator, numbers: &[Decimal]) {
        if operator != Operator::Between && !numbers.iter().any(|number| self.holds(*number)) {
            self.above(End { at: Decimal::MAX, included: false });
        }
    }

    /// Takes `from..=to` out, where that leaves one range.
    fn without(&mut self, from: Decimal, to: Decimal, whole: bool) {
        if !whole {
            return;
        }
        let starts_inside = self.low.is_some_and(|low| low.at >= from);
        let ends_inside = self.high.is_some_and(|high| high.at <= to);
        match (starts_inside, ends_inside) {
            (true, _) => self.above(End { at: to, included: false }),
            (false, true) => self.below(End { at: from, included: false }),
            (false, false) => {}
        }
    }

    fn narrow_texts(&mut self, operator: Operator, operands: &Operands, texts: &[String], truth: bool) {
        if let Some(possible) = &mut self.texts {
            possible.retain(|text| operands.holds(operator, Some(&Actual::from(text.as_str()))) == truth);
            return;
        }
        match (operator, truth) {
            (Operator::Equal | Operator::In, true) | (Operator::NotEqual | Operator::NotIn, false) => {
                let left = texts.iter().filter(|text| !self.not_texts.contains(*text)).cloned().collect();
                self.texts = Some(left);
            }
            (Operator::Equal | Operator::In, false) | (Operator::NotEqual | Operator::NotIn, true) => {
                self.not_texts.extend(texts.iter().cloned());
            }
            _ => {}
        }
    }

    fn above(&mut self, end: End) {
        let nearer = |old: &End| old.at > end.at || (old.at == end.at && !old.included);
        if !self.low.as_ref().is_some_and(nearer) {
            self.low = Some(end);
        }
    }

    fn below(&mut self, end: End) {
        let nearer = |old: &End| old.at < end.at || (old.at == end.at && !old.included);
        if !self.high.as_ref().is_some_and(nearer) {
            self.high = Some(end);
        }
    }

    fn holds(&self, number: Decimal) -> bool {
        self.low.is_none_or(|low| number > low.at || (low.included && number == low.at))
            && self.high.is_none_or(|high| number < high.at || (high.included && number == high.at))
    }

    fn is_empty(&self) -> bool {
        let range_empty = match (self.low, self.high) {
            (Some(low), Some(high)) => low.at > high.at || (low.at == high.at && !(low.included && high.included)),
            (Some(low), None) => low.at == Decimal::MAX && !low.included,
            _ => false,
        };
        range_empty || self.texts.as_ref().is_some_and(BTreeSet::is_empty)
    }
}
