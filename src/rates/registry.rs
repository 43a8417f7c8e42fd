//! From configuration to boards and their sources: the one place that knows every kind of source.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use super::backoff::Backoff;
use super::binance::BinanceSource;
use super::binance_stream::BinanceStream;
use super::board::Board;
use super::coinbase::CoinbaseSource;
use super::ecb::EcbSource;
use super::fixed::FixedSource;
use super::kraken::KrakenSource;
use super::replay::{ReplayError, ReplaySource};
use super::runner::{Feed, Runner, Way};
use super::web::{Setup, Web};
use crate::clock::Clock;
use crate::config::Problems;
use crate::config::rates::{RatesSettings, SourceSettings};
use crate::domain::ids::Mode;

/// Why the boards can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Settings(#[from] Problems),
    #[error("rates.sources.{name}: {error}")]
    Replay { name: String, error: ReplayError },
    #[error("the client that asks rate sources: {0}")]
    Client(#[from] reqwest::Error),
    #[error("rates.sources.{name}: TLS: {error}")]
    Tls { name: String, error: rustls::Error },
}

/// The boards of the served modes, and what feeds them.
#[derive(Clone)]
pub struct Rates {
    boards: BTreeMap<Mode, Arc<Board>>,
    feeds: Vec<Feed>,
    clock: Arc<dyn Clock>,
}

impl Rates {
    /// Sets up a board for each of `modes`, and each source that one of them lists, once. Nothing is fetched yet.
    pub fn build(settings: &RatesSettings, modes: &[Mode], clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let mut problems = Problems::default();
        settings.check(modes.contains(&Mode::Live), &mut problems);
        let mut boards = BTreeMap::new();
        let mut listeners: BTreeMap<&String, Vec<Arc<Board>>> = BTreeMap::new();
        for (mode, board) in modes.iter().filter_map(|mode| Some((*mode, settings.board(*mode)?))) {
            let Some((rules, crosses)) = board.rules(&format!("rates.{mode}"), &mut Problems::default()) else {
                continue;
            };
            let built = Board::new(mode, rules, crosses, &board.sources);
            let built = Arc::new(built.with_max_ages(max_ages(settings, &board.sources)));
            for name in &board.sources {
                listeners.entry(name).or_default().push(Arc::clone(&built));
            }
            boards.insert(mode, built);
        }
        if !problems.0.is_empty() {
            return Err(problems.into());
        }

        let mut builder = Builder { clock: Arc::clone(&clock), web: None };
        let mut feeds = Vec::new();
        for (name, boards) in listeners {
            let Some(source) = settings.sources.get(name) else { continue };
            let ways = builder.ways(name, source)?;
            feeds.extend(ways.into_iter().map(|way| Feed { way, boards: boards.clone() }));
        }
        Ok(Self { boards, feeds, clock })
    }

    /// The board of `mode`, if that mode is served.
    pub fn board(&self, mode: Mode) -> Option<&Arc<Board>> {
        self.boards.get(&mode)
    }

    /// Starts to fetch, from each source at once, until `stop` turns true or its sender is gone. Must be called within a
    /// tokio runtime.
    pub fn start(&self, stop: watch::Receiver<bool>) -> Runner {
        self.start_with(Backoff::default(), stop)
    }

    /// The same with other waits after failures.
    pub fn start_with(&self, backoff: Backoff, stop: watch::Receiver<bool>) -> Runner {
        Runner::start(self.feeds.clone(), Arc::clone(&self.clock), backoff, stop)
    }
}

/// The ages of those of `sources` that have one of their own.
fn max_ages(settings: &RatesSettings, sources: &[String]) -> BTreeMap<String, TimeDelta> {
    let age = |name: &String| {
        let age_ms = i64::try_from(settings.sources.get(name)?.max_age_ms()?).ok()?;
        Some((name.clone(), TimeDelta::try_milliseconds(age_ms)?))
    };
    sources.iter().filter_map(age).collect()
}

/// Sets up sources one after the other; those on the internet share a client, which isn't there unless one of them is.
struct Builder {
    clock: Arc<dyn Clock>,
    web: Option<Arc<Web>>,
}

impl Builder {
    /// The ways in which a source is heard.
    fn ways(&mut self, name: &str, settings: &SourceSettings) -> Result<Vec<Way>, BuildError> {
        let key = format!("rates.sources.{name}");
        let poll_interval = Duration::from_millis(settings.poll_ms());
        // What is wrong was told before: nothing is built with problems.
        let told = &mut Problems::default();
        let polled = match settings {
            SourceSettings::Fixed(fixed) => {
                Way::Polled(Arc::new(FixedSource::new(name.to_owned(), poll_interval, fixed.ticks(&key, told))))
            }
            SourceSettings::Replay(replay) => {
                let clock = Arc::clone(&self.clock);
                let source =
                    ReplaySource::open(name.to_owned(), poll_interval, &replay.path, replay.loop_after_ms, clock);
                Way::Polled(Arc::new(source.map_err(|error| BuildError::Replay { name: name.to_owned(), error })?))
            }
            SourceSettings::Binance(binance) => {
                let setup = self.setup(name, settings, &binance.url, binance.timeout_ms)?;
                let symbols = binance.symbols(&key, told);
                let polled = Way::Polled(Arc::new(BinanceSource::new(setup, symbols.clone())));
                if binance.stream_url.is_empty() {
                    return Ok(vec![polled]);
                }
                let (url, silence) = (&binance.stream_url, binance.stream_silence());
                let stream = BinanceStream::new(name.to_owned(), url, silence, &symbols, Arc::clone(&self.clock));
                let stream = stream.map_err(|error| BuildError::Tls { name: name.to_owned(), error })?;
                return Ok(vec![polled, Way::Pushed(Arc::new(stream))]);
            }
            SourceSettings::Kraken(kraken) => {
                let setup = self.setup(name, settings, &kraken.url, kraken.timeout_ms)?;
                Way::Polled(Arc::new(KrakenSource::new(setup, kraken.symbols(&key, told))))
            }
            SourceSettings::Coinbase(coinbase) => {
                let setup = self.setup(name, settings, &coinbase.url, coinbase.timeout_ms)?;
                Way::Polled(Arc::new(CoinbaseSource::new(setup, &coinbase.pairs(&key, told))))
            }
            SourceSettings::Ecb(ecb) => {
                let setup = self.setup(name, settings, &ecb.url, ecb.timeout_ms)?;
                Way::Polled(Arc::new(EcbSource::new(setup, ecb.pairs(&key, told))))
            }
        };
        Ok(vec![polled])
    }

    fn setup(
        &mut self,
        name: &str,
        settings: &SourceSettings,
        url: &str,
        timeout_ms: u64,
    ) -> Result<Setup, BuildError> {
        let web = match &self.web {
            Some(web) => Arc::clone(web),
            None => Arc::clone(self.web.insert(Arc::new(Web::new(Arc::clone(&self.clock))?))),
        };
        Ok(Setup {
            name: name.to_owned(),
            base_url: url.to_owned(),
            poll_interval: Duration::from_millis(settings.poll_ms()),
            timeout: Duration::from_millis(timeout_ms),
            web,
            clock: Arc::clone(&self.clock),
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use rust_decimal::dec;

    use super::*;
    use crate::clock::ManualClock;
    use crate::config::DEFAULT_TOML;
    use crate::rates::pair_text::parse;

    fn settings(toml: &str) -> RatesSettings {
        let text = |text| config::File::from_str(text, config::FileFormat::Toml);
        let layers = config::Config::builder().add_source(text(DEFAULT_TOML)).add_source(text(toml));
        layers.build().and_then(|built| built.get("rates")).expect("well-formed")
    }

    fn clock() -> ManualClock {
        ManualClock::at(DateTime::from_timestamp(1_750_000_000, 0).unwrap())
    }

    #[tokio::test]
    async fn the_defaults_give_the_rate_of_the_published_example() {
        let clock = clock();
        let rates = Rates::build(&settings(""), &[Mode::Test], Arc::new(clock.clone())).unwrap();
        assert!(rates.board(Mode::Live).is_none());
        let board = rates.board(Mode::Test).unwrap();
        let pairs =
            ["USDT/EUR", "USDT/USD", "USDT/GBP", "USDC/EUR", "BTC/EUR", "BTC/USD", "BTC/GBP", "ETH/EUR", "ETH/GBP"]
                .map(|pair| parse(pair).unwrap());
        assert!(!board.is_ready(&pairs, clock.now()), "nothing was fetched yet");

        let (stop, stopped) = watch::channel(false);
        let runner = rates.start(stopped);
        tokio::time::timeout(Duration::from_secs(5), async {
            while !board.is_ready(&pairs, clock.now()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
        .expect("the fixed source answers at once");
        stop.send(true).unwrap();
        runner.stopped().await;

        let answer = board.price(pairs[0], clock.now()).unwrap();
        assert_eq!(answer.price, dec!(0.9297));
        assert_eq!(answer.price * (dec!(1) - dec!(0.02)), dec!(0.911106));
        assert_eq!(board.price(parse("BTC/GBP").unwrap(), clock.now()).unwrap().price, dec!(52747.5254));
        clock.advance(TimeDelta::seconds(11));
        assert!(
            !board.is_ready(&pairs, clock.now()),
            "a fixed price that is no longer fetched goes stale like any other"
        );
    }

    #[test]
    fn live_money_is_not_set_up_on_fixed_prices() {
        let live = "[rates.live]\nsources = [\"fixed\"]\nmax_age_ms = 10000\nmax_deviation = \"0.01\"\nmin_sources = 1";
        for toml in ["", live] {
            let built = Rates::build(&settings(toml), &[Mode::Test, Mode::Live], Arc::new(clock()));
            assert!(matches!(built, Err(BuildError::Settings(_))), "{toml}");
        }
    }

    #[test]
    fn a_replay_file_that_is_not_there_is_named() {
        let toml = "[rates.sources.film]\nkind = \"replay\"\npoll_ms = 100\npath = \"no/such/file\"\n\
                    [rates.test]\nsources = [\"film\"]";
        let Err(error) = Rates::build(&settings(toml), &[Mode::Test], Arc::new(clock())) else {
            panic!("no such file")
        };
        assert!(
            error.to_string().starts_with("rates.sources.film: the replay file no/such/file can't be read"),
            "{error}"
        );
    }
}
