//! What was checked and what was found, and how a terminal shows it.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::store::verify::Broken;

/// How many findings of a check are kept; all are counted.
pub const FINDINGS_KEPT: usize = 20;

/// A row that breaks what a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table and the primary key: `payout PARTNER/MODE/ID`.
    pub row: String,
    /// What is wrong with it. Never holds a card number or anything else that is secret.
    pub what: String,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    pub name: &'static str,
    /// The invariant that it checks, by its number in the design; 0: the event log, which is evidence for all of them.
    pub invariant: u8,
    /// What holds if nothing is found.
    pub says: &'static str,
    pub rows_checked: u64,
    /// The first [`FINDINGS_KEPT`].
    pub findings: Vec<Finding>,
    pub findings_total: u64,
}

impl CheckResult {
    pub(super) fn new(name: &'static str, invariant: u8, says: &'static str) -> Self {
        Self { name, invariant, says, rows_checked: 0, findings: Vec::new(), findings_total: 0 }
    }

    /// Notes a broken row.
    pub(super) fn found(&mut self, row: impl Into<String>, what: impl Into<String>) {
        self.findings_total += 1;
        if self.findings.len() < FINDINGS_KEPT {
            self.findings.push(Finding { row: row.into(), what: what.into() });
        }
    }

    /// Adds what a comparison in the database found.
    pub(super) fn add(&mut self, broken: Broken) {
        self.rows_checked += broken.rows.unsigned_abs();
        self.findings_total += broken.total.unsigned_abs();
        let room = FINDINGS_KEPT - self.findings.len();
        self.findings.extend(broken.first.into_iter().take(room).map(|row| Finding { row: row.row, what: row.what }));
    }

    pub fn is_clean(&self) -> bool {
        self.findings_total == 0
    }
}

/// What was checked, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub at: DateTime<Utc>,
    pub checks: Vec<CheckResult>,
}

impl Report {
    pub(super) fn new(at: DateTime<Utc>) -> Self {
        Self { at, checks: Vec::new() }
    }

    /// Adds a check that the database made by itself.
    pub(super) fn add(&mut self, name: &'static str, invariant: u8, says: &'static str, broken: Broken) {
        let mut check = CheckResult::new(name, invariant, says);
        check.add(broken);
        self.checks.push(check);
    }

    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.checks.iter().all(CheckResult::is_clean)
    }

    /// What was found, by the name of the check.
    pub fn findings(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        self.checks.iter().flat_map(|check| check.findings.iter().map(|finding| (check.name, finding)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0).max("check".len());
        writeln!(f, "Checked at {}.\n", self.at.to_rfc3339_opts(SecondsFormat::Secs, true))?;
        writeln!(f, "inv  {:width$}  {:>12}  result", "check", "rows")?;
        for check in &self.checks {
            let invariant = if check.invariant == 0 { "-".to_owned() } else { check.invariant.to_string() };
            write!(f, "{invariant:>3}  {:width$}  {:>12}  ", check.name, check.rows_checked)?;
            if check.is_clean() {
                writeln!(f, "ok")?;
            } else {
                writeln!(f, "BROKEN: {}", check.findings_total)?;
            }
        }
        for check in self.checks.iter().filter(|check| !check.is_clean()) {
            writeln!(f, "\n{}: {} broken. {}", check.name, check.findings_total, check.says)?;
            for finding in &check.findings {
                writeln!(f, "  {}\n      {}", finding.row, finding.what)?;
            }
            let kept = u64::try_from(check.findings.len()).unwrap_or(u64::MAX);
            if check.findings_total > kept {
                writeln!(f, "  ... and {} more", check.findings_total - kept)?;
            }
        }
        let broken = self.checks.iter().filter(|check| !check.is_clean()).count();
        match broken {
            0 => write!(f, "\nAll {} checks passed.", self.checks.len()),
            broken => write!(f, "\n{broken} of {} checks FAILED.", self.checks.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_beyond_those_that_are_kept_and_shown() {
        let mut report = Report::new(DateTime::default());
        report.checks.push(CheckResult::new("whole", 4, "All is well."));
        let mut check = CheckResult::new("rotten", 0, "Nothing rots.");
        for n in 0..FINDINGS_KEPT + 3 {
            check.found(format!("apple {n}"), "is rotten");
        }
        report.checks.push(check);
        assert!(!report.is_clean() && report.checks[0].is_clean());
        let shown = report.to_string();
        assert!(shown.contains("rotten: 23 broken. Nothing rots.") && shown.contains("apple 19\n"), "{shown}");
        assert!(shown.contains("... and 3 more") && !shown.contains("apple 20"), "{shown}");
        assert!(shown.ends_with("1 of 2 checks FAILED."), "{shown}");
    }
}
