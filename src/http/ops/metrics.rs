//! `/metrics`: what operators watch, in the text format of OpenMetrics. Counts and ages alone: no amount, nothing of any user. It has no
//! authentication, like health: a proxy keeps it inside.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::ids::Mode;
use crate::domain::payout::PayoutStatus;
use crate::domain::rate::Pair;
use crate::gateway::Gateway;
use crate::gateway::metrics::Counted;
use crate::http::call::Edge;
use crate::http::error::{ApiError, Code};
use crate::rates::board::Heard;
use crate::rates::health::SourceHealth;
use crate::wallet::Wallet;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long counting may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long the key provider may take to say how it is.
const KEYS_TIMEOUT: Duration = Duration::from_secs(2);

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;

/// What operators watch: open cases, payouts and their ages, requests in moderation, due and dead jobs, reconciliations, rate sources, the
/// key provider.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics", tag = "operations", security(()),
    responses(
        (status = 200, description = "The text format of OpenMetrics, which Prometheus reads.", body = String, content_type = "application/openmetrics-text"),
        (status = 503, description = "The database doesn't answer in time."),
    )
)]
pub async fn metrics(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = Edge::part(&request)?;
    let counted = match tokio::time::timeout(TIMEOUT, gateway.count()).await {
        Ok(Ok(counted)) => counted,
        Ok(Err(error)) => {
            tracing::warn!(%error, "metrics can't be counted");
            return Err(ApiError::new(Code::ServiceUnavailable));
        }
        Err(_) => return Err(ApiError::new(Code::ServiceUnavailable)),
    };
    let wallet: Arc<Wallet> = Edge::part(&request)?;
    let standing = tokio::time::timeout(KEYS_TIMEOUT, gateway.vault.standing()).await;
    let keys = (gateway.vault.provider_code(), matches!(standing, Ok(Ok(()))));
    let text = told(&counted, &watched_rates(&wallet), keys).map_err(|error| ApiError::internal(&error))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, MEDIA_TYPE)).body(text))
}

/// The gauges that are told, each with what it means.
struct Told {
    registry: Registry,
}

impl Told {
    fn gauges(&mut self, name: &str, help: &str) -> Gauges {
        let gauges = Gauges::default();
        self.registry.register(name, help, gauges.clone());
        gauges
    }

    /// One that has no labels.
    fn gauge(&mut self, name: &str, help: &str, value: i64) {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        self.registry.register(name, help, gauge);
    }
}

fn set(gauges: &Gauges, labels: Labels, value: i64) {
    gauges.get_or_create(&labels).set(value);
}

/// What this process hears of rates in one mode. Unlike the rest it is not counted from the database: each process listens by itself.
struct WatchedRates {
    mode: Mode,
    sources: Vec<SourceHealth>,
    heard: Vec<Heard>,
    /// The offered pairs, and whether each has a price.
    priced: Vec<(Pair, bool)>,
}

fn watched_rates(wallet: &Wallet) -> Vec<WatchedRates> {
    let now = wallet.now();
    let watched = |mode| {
        let board = wallet.rates.board(mode)?;
        let priced = wallet.house.pairs.iter().map(|pair| (*pair, board.price(*pair, now).is_ok())).collect();
        Some(WatchedRates { mode, sources: board.health(), heard: board.heard(now), priced })
    };
    [Mode::Test, Mode::Live].into_iter().filter_map(watched).collect()
}

fn tell_rates(told: &mut Told, rates: &[WatchedRates]) {
    let up = told.gauges("rate_source_up", "Whether a rate source brought prices the last time");
    let failures = Family::<Labels, Counter>::default();
    told.registry.register("rate_source_failures", "How often a rate source brought nothing", failures.clone());
    let age = told.gauges("rate_quote_age_seconds", "How old a source's last quote of a pair is");
    let fresh = told.gauges("rate_quote_fresh", "Whether it is young enough to make a price");
    let outlying =
        told.gauges("rate_quote_outlying", "Whether it is left out of the price, being too far from the others");
    let priced = told.gauges("rate_pair_priced", "Whether an offered pair has a price");
    for watched in rates {
        let mode = || ("mode", watched.mode.to_string());
        for source in &watched.sources {
            let labels = vec![("source", source.source.clone()), mode()];
            set(&up, labels.clone(), i64::from(source.is_up()));
            failures.get_or_create(&labels).inc_by(source.failures);
        }
        for heard in &watched.heard {
            let labels = vec![("source", heard.source.clone()), ("pair", heard.pair.to_string()), mode()];
            set(&age, labels.clone(), heard.age.num_seconds());
            set(&fresh, labels.clone(), i64::from(heard.is_fresh));
            set(&outlying, labels, i64::from(heard.is_outlier));
        }
        for (pair, has_price) in &watched.priced {
            set(&priced, vec![("pair", pair.to_string()), mode()], i64::from(*has_price));
        }
    }
}

/// Data keys, and how far the pass has come that seals anew what is under old ones.
fn tell_keys(told: &mut Told, counted: &Counted) {
    let keys = told.gauges("data_keys", "Data keys: primary, draining, drained, compromised, retired");
    let oldest = told.gauges("data_key_oldest_age_seconds", "How old the oldest of them is");
    let messages = told.gauges("data_key_messages_max", "The most messages that one of them has sealed");
    for state in ["primary", "draining", "drained", "compromised", "retired"] {
        set(&keys, vec![("state", state.to_owned())], 0);
    }
    for key in &counted.keys {
        let labels = vec![("state", key.state.clone())];
        set(&keys, labels.clone(), key.count);
        set(&oldest, labels.clone(), (counted.at - key.since).num_seconds().max(0));
        set(&messages, labels, key.messages_max);
    }
    let webhooks = &counted.webhooks;
    told.gauge("webhook_deliveries_pending", "Webhook deliveries that are still to be made", webhooks.pending);
    let what = "For how long the delivery that is due for longest has been due";
    told.gauge("webhook_oldest_due_seconds", what, webhooks.oldest_due_secs);
    let what = "Webhook endpoints that were switched off since nothing arrived there";
    told.gauge("webhook_endpoints_disabled", what, webhooks.endpoints_disabled);
    let pass = &counted.reseal;
    let running = i64::from(pass.finished_at.is_none());
    told.gauge("reseal_pass_running", "Whether a pass over everything sealed is under way", running);
    told.gauge("reseal_pass_due_values", "Values under old keys when the last pass began", pass.due);
    told.gauge("reseal_pass_failed_rows", "Rows of the last pass that don't open", pass.unopened());
    let resealed: Counter = Counter::default();
    resealed.inc_by(u64::try_from(pass.resealed_total).unwrap_or(0));
    told.registry.register("resealed_rows", "Rows that were sealed anew", resealed);
}

/// `keys`: the key provider, and whether it works.
fn told(counted: &Counted, rates: &[WatchedRates], keys: (&str, bool)) -> Result<String, std::fmt::Error> {
    let age = |since: DateTime<Utc>| (counted.at - since).num_seconds().max(0);
    let mut told = Told { registry: Registry::with_prefix("landfall") };

    let open = told.gauges("cases_open", "Cases that wait for a person");
    let oldest = told.gauges("case_oldest_age_seconds", "How long the oldest of them has been open");
    for case in &counted.cases {
        let labels = vec![("kind", case.kind.clone()), ("mode", case.mode.to_string())];
        set(&open, labels.clone(), case.count);
        set(&oldest, labels, age(case.since));
    }

    let open = told.gauges("payouts_open", "Payouts that aren't final");
    let oldest = told.gauges("payout_oldest_age_seconds", "How long ago the oldest of them was made");
    // Told while there are none too: an alarm on what is absent would never ring.
    for status in PayoutStatus::ALL.into_iter().filter(|status| status.is_open()) {
        for mode in [Mode::Test, Mode::Live] {
            set(&open, vec![("status", status.to_string()), ("mode", mode.to_string())], 0);
        }
    }
    for payout in &counted.payouts {
        let labels = vec![("status", payout.status.clone()), ("mode", payout.mode.to_string())];
        set(&open, labels.clone(), payout.count);
        set(&oldest, labels, age(payout.since));
    }

    let moderated = told.gauges("requests_in_moderation", "Payout requests that wait for a person");
    for request in &counted.moderated {
        let labels = vec![("reason", request.reason.clone()), ("mode", request.mode.to_string())];
        set(&moderated, labels, request.count);
    }

    let due = told.gauges("jobs_due", "Jobs whose time has come and that nobody holds");
    let oldest = told.gauges("job_due_oldest_age_seconds", "How long the oldest of them has been due");
    for job in &counted.due {
        set(&due, vec![("kind", job.kind.clone())], job.count);
        set(&oldest, vec![("kind", job.kind.clone())], age(job.since));
    }
    let dead = told.gauges("jobs_dead", "Jobs that no worker takes any more");
    for job in &counted.dead {
        set(&dead, vec![("kind", job.kind.clone())], job.count);
    }

    let finished =
        told.gauges("reconciliation_finished_timestamp_seconds", "When the last comparison of an account ended well");
    let failed = told.gauges("reconciliation_failed", "Whether an account's last reconciliation broke off");
    let differences =
        told.gauges("reconciliation_differences", "What an account's last reconciliation found to differ");
    for run in &counted.runs {
        let of =
            || vec![("account", run.account.clone()), ("owner", run.owner.clone()), ("mode", run.mode.to_string())];
        if let Some(succeeded_at) = run.succeeded_at {
            set(&finished, of(), succeeded_at.timestamp());
        }
        set(&failed, of(), i64::from(run.failed));
        if run.failed {
            continue;
        }
        let groups = [("only_ours", run.only_ours), ("only_theirs", run.only_theirs), ("differing", run.differing)];
        for (group, count) in groups {
            let mut labels = of();
            labels.push(("group", group.to_owned()));
            set(&differences, labels, i64::from(count));
        }
    }

    tell_keys(&mut told, counted);
    tell_rates(&mut told, rates);
    let up = told
        .gauges("key_provider_up", "Whether the key provider works: 0 while only keys that are unwrapped already do");
    set(&up, vec![("provider", keys.0.to_owned())], i64::from(keys.1));

    let mut text = String::new();
    encode(&mut text, &told.registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::ids::Mode;
    use crate::gateway::metrics::{DataKeyCount, LatestRun, OpenCase, OpenPayout, Pass};
    use crate::gateway::webhooks::Waiting;

    #[test]
    fn counts_and_ages_are_told_with_their_labels() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000);
        let since = DateTime::UNIX_EPOCH + TimeDelta::seconds(400);
        let counted = Counted {
            at,
            cases: vec![OpenCase { mode: Mode::Test, kind: "late_success".to_owned(), count: 2, since }],
            payouts: vec![OpenPayout { mode: Mode::Live, status: "unknown".to_owned(), count: 7, since }],
            moderated: Vec::new(),
            due: Vec::new(),
            dead: Vec::new(),
            runs: vec![LatestRun {
                mode: Mode::Test,
                owner: "house".to_owned(),
                account: "a".to_owned(),
                finished_at: at,
                failed: true,
                only_ours: 0,
                only_theirs: 0,
                differing: 0,
                succeeded_at: Some(since),
            }],
            keys: vec![DataKeyCount { state: "draining".to_owned(), count: 3, since, messages_max: 2_048 }],
            webhooks: Waiting { pending: 7, oldest_due_secs: 3, endpoints_disabled: 1 },
            reseal: Pass {
                pass: 2,
                started_at: Some(since),
                finished_at: None,
                table_name: "card".to_owned(),
                after_id: None,
                after_partner_id: None,
                after_mode: None,
                next_at: at,
                due: 40,
                resealed: 9,
                failed: 1,
                failed_before: 0,
                resealed_total: 12,
            },
        };
        let text = told(&counted, &[], ("vault", false)).unwrap();
        for line in [
            "landfall_cases_open{kind=\"late_success\",mode=\"test\"} 2",
            "landfall_payouts_open{status=\"unknown\",mode=\"live\"} 7",
            "landfall_payout_oldest_age_seconds{status=\"unknown\",mode=\"live\"} 600",
            "landfall_reconciliation_finished_timestamp_seconds{account=\"a\",owner=\"house\",mode=\"test\"} 400",
            "landfall_reconciliation_failed{account=\"a\",owner=\"house\",mode=\"test\"} 1",
            "landfall_data_keys{state=\"draining\"} 3",
            "landfall_data_keys{state=\"compromised\"} 0",
            "landfall_data_key_oldest_age_seconds{state=\"draining\"} 600",
            "landfall_data_key_messages_max{state=\"draining\"} 2048",
            "landfall_webhook_deliveries_pending 7",
            "landfall_webhook_oldest_due_seconds 3",
            "landfall_webhook_endpoints_disabled 1",
            "landfall_reseal_pass_running 1",
            "landfall_reseal_pass_due_values 40",
            "landfall_reseal_pass_failed_rows 1",
            "landfall_resealed_rows_total 12",
            "landfall_key_provider_up{provider=\"vault\"} 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} isn't in\n{text}");
        }
        assert!(!text.contains("landfall_reconciliation_differences{"), "a run that broke off found nothing");
    }
}
