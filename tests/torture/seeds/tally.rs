//! What was injected and what came of it, counted; as a table for people and as a line for machines.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// Counts, by section and name.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(&'static str, String), u64>,
}

impl Tally {
    pub fn note(&mut self, section: &'static str, name: impl Into<String>) {
        self.add(section, name, 1);
    }

    pub fn add(&mut self, section: &'static str, name: impl Into<String>, count: u64) {
        if count > 0 {
            *self.counts.entry((section, name.into())).or_default() += count;
        }
    }

    pub fn join(&mut self, other: &Tally) {
        for ((section, name), count) in &other.counts {
            self.add(section, name.clone(), *count);
        }
    }

    pub fn of(&self, section: &'static str, name: &str) -> u64 {
        self.counts.get(&(section, name.to_owned())).copied().unwrap_or(0)
    }

    /// How many different things of a section there were.
    pub fn kinds(&self, section: &'static str) -> usize {
        self.counts.keys().filter(|(of, _)| *of == section).count()
    }

    pub fn to_json(&self) -> Value {
        let mut sections = json!({});
        for ((section, name), count) in &self.counts {
            sections[*section][name] = json!(count);
        }
        sections
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.counts.keys().map(|(_, name)| name.len()).max().unwrap_or(0);
        let mut section = "";
        for ((of, name), count) in &self.counts {
            if *of != section {
                section = of;
                writeln!(f, "{of}")?;
            }
            writeln!(f, "  {name:width$}  {count:>10}")?;
        }
        Ok(())
    }
}
