//! One table of what several runs put down in `TORTURE_OUT`: what was injected, what died, what came of it, and what differed.

use std::collections::BTreeMap;

use serde_json::Value;

/// Sections of counts, each by name.
#[derive(Default)]
struct Sum {
    sections: BTreeMap<String, BTreeMap<String, u64>>,
    differences: Vec<String>,
}

impl Sum {
    fn add(&mut self, section: &str, name: &str, count: u64) {
        *self.sections.entry(section.to_owned()).or_default().entry(name.to_owned()).or_default() += count;
    }

    fn of(&self, section: &str, name: &str) -> u64 {
        self.sections.get(section).and_then(|names| names.get(name)).copied().unwrap_or(0)
    }

    fn counts(&mut self, section: &str, counts: &Value) {
        for (name, count) in counts.as_object().into_iter().flatten() {
            self.add(section, name, count.as_u64().unwrap_or(0));
        }
    }

    fn read(&mut self, line: &Value) {
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        let Some(kind) = line["kind"].as_str() else {
            for (section, counts) in line["counts"].as_object().into_iter().flatten() {
                self.counts(&format!("simulated: {section}"), counts);
            }
            let failed = line["failed"].as_array().into_iter().flatten();
            self.differences.extend(failed.map(|seed| format!("seed {seed}")));
            return;
        };
        let section = format!("crashes: {kind}");
        self.add(&section, "runs", 1);
        for name in ["kills", "at_steps", "times", "restarts", "requests", "paid", "moderated"] {
            if !line[name].is_null() {
                self.add(&section, name, number(name));
            }
        }
        if kind == "matrix" {
            let action = line["action"].as_str().unwrap_or("?");
            let (hit, held) = (line["hit"] == true, line["held"] == true);
            self.add(&section, &format!("{action}: cases"), 1);
            self.add(&section, &format!("{action}: met"), u64::from(hit));
            self.add(&section, &format!("{action}: met and held"), u64::from(hit && held));
        }
        self.counts(&format!("{section}: ends"), &line["ends"]);
        let told = line["differences"].as_array().into_iter().flatten();
        self.differences.extend(told.map(|difference| format!("{kind}: {difference}")));
    }
}

/// `TORTURE_SUM` names the file.
#[test]
fn what_all_runs_came_to() {
    let Ok(path) = std::env::var("TORTURE_SUM") else { return };
    let mut sum = Sum::default();
    for line in std::fs::read_to_string(&path).unwrap().lines() {
        sum.read(&serde_json::from_str(line).unwrap());
    }
    println!("\nTORTURE");
    for (section, names) in &sum.sections {
        println!("\n{section}");
        let width = names.keys().map(String::len).max().unwrap_or(0);
        for (name, count) in names {
            println!("  {name:width$}  {count:>10}");
        }
    }
    let kills: u64 = sum.sections.keys().map(|section| sum.of(section, "kills")).sum();
    let faults = sum.sections.get("simulated: fault").map_or(0, BTreeMap::len);
    println!(
        "\n{} simulated payouts over {} seeds with {faults} kinds of fault; {kills} kills; differences: {}",
        sum.of("simulated: run", "payouts"),
        sum.of("simulated: run", "seeds"),
        if sum.differences.is_empty() { "none".to_owned() } else { sum.differences.join("\n  ") },
    );
    assert!(sum.differences.is_empty());
}
