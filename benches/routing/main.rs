//! What a routing decision costs: 50 routes, a tree of 20 nodes, each strategy, with its trace.

#![allow(clippy::unwrap_used, reason = "a bench that can't go on fails")]

mod scenario;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use landfall::domain::routing::Strategy;
use scenario::Scenario;

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide over 50 routes");
    for strategy in Strategy::ALL {
        let scenario = Scenario::new(strategy);
        group.bench_function(strategy.as_str(), |bencher| bencher.iter(|| black_box(&scenario).decide()));
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
