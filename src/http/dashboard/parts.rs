//! Small pieces that pages are made of: amounts, times, cards, states. Each is a template of its own that escapes what it shows, so
//! pages may put them where they like.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::zone;
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::card::strike_numbers;
use crate::domain::money::Money;
use crate::staff::desk::MaskedCard;

/// An answer with a rendered page.
pub fn html(mut response: HttpResponseBuilder, page: &impl Template) -> Result<HttpResponse, askama::Error> {
    let body = page.render()?;
    Ok(response.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(body))
}

/// An amount with its currency: a decimal point, thin spaces between thousands, and the code beside it, so that no reader takes it for
/// another.
#[derive(Clone, Template)]
#[template(path = "parts/amount.html", config = "web/askama.toml")]
pub struct Amount {
    exact: String,
    shown: String,
    code: String,
}
impl HtmlSafe for Amount {}

impl Amount {
    /// With all decimals of its currency; an amount that has more keeps them.
    pub fn of(amount: Decimal, code: AssetCode, assets: &Assets) -> Self {
        let money = assets.get(code).and_then(|asset| Money::new(amount, asset).ok());
        let exact = money.map_or(amount, |money| money.amount()).to_string();
        Self { shown: grouped(&exact), exact, code: code.to_string() }
    }

    /// Its number with a decimal point and nothing else.
    pub fn exact(&self) -> &str {
        &self.exact
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    /// As text within a sentence.
    pub fn text(&self) -> String {
        format!("{}\u{a0}{}", self.shown, self.code)
    }
}

/// Groups the digits before the point by threes, with narrow no-break spaces.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("\u{2212}", digits));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut shown = String::from(sign);
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown + rest
}

/// A point in time, to the second, in UTC, and as its reader's clock has it.
#[derive(Clone, Template)]
#[template(path = "parts/moment.html", config = "web/askama.toml")]
pub struct Moment {
    iso: String,
    shown: String,
    own: Option<String>,
}
impl HtmlSafe for Moment {}

impl Moment {
    pub fn of(at: DateTime<Utc>) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Micros, true),
            shown: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            own: zone::own(at),
        }
    }
}

impl Moment {
    /// RFC 3339, in UTC.
    pub fn iso(&self) -> &str {
        &self.iso
    }
}

/// What a state means for whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// It failed, or somebody must act.
    Bad,
    /// Not certain, or not yet.
    Open,
    Neutral,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Open => "open",
            Tone::Neutral => "neutral",
        }
    }
}

/// A state, in a word; its colour only repeats it.
#[derive(Clone, Template)]
#[template(path = "parts/badge.html", config = "web/askama.toml")]
pub struct Badge {
    tone: &'static str,
    pub text: &'static str,
}
impl HtmlSafe for Badge {}

impl Badge {
    pub const fn new(tone: Tone, text: &'static str) -> Self {
        Self { tone: tone.class(), text }
    }
}

/// A card: its scheme, first four and last four.
#[derive(Clone, Template)]
#[template(path = "parts/card.html", config = "web/askama.toml")]
pub struct CardPart {
    scheme: String,
    first_four: String,
    last_four: String,
}
impl HtmlSafe for CardPart {}

impl CardPart {
    /// As a file has it.
    pub fn text(&self) -> String {
        format!("{} {}****{}", self.scheme, self.first_four, self.last_four)
    }
}

impl From<&MaskedCard> for CardPart {
    fn from(card: &MaskedCard) -> Self {
        Self { scheme: card.scheme.to_string(), first_four: card.first_four.clone(), last_four: card.last_four.clone() }
    }
}

/// A text from outside, without anything that could be a card number.
pub fn outside(text: &str) -> String {
    strike_numbers(text).into_owned()
}

/// JSON as people read it, without anything that could be a card number.
pub fn raw(value: &serde_json::Value) -> String {
    outside(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// How long ago, in words: the two greatest units.
pub fn span(age: TimeDelta) -> String {
    let secs = age.num_seconds().max(0);
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", secs % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::{Asset, AssetKind};

    #[test]
    fn an_amount_has_all_its_decimals_and_its_currency() {
        let eur = Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 };
        let assets = Assets::new([eur]);
        let text =
            |amount| Amount::of(amount, eur.code, &assets).text().replace('\u{202f}', "_").replace('\u{a0}', " ");
        assert_eq!(text(dec!(100000000)), "100_000_000.00 EUR");
        assert_eq!(text(dec!(999.5)), "999.50 EUR");
        assert_eq!(text(dec!(-1234.5)), "\u{2212}1_234.50 EUR");
        assert_eq!(text(dec!(0.001)), "0.001 EUR", "never rounded");
    }

    #[test]
    fn an_amount_s_parts_are_escaped() {
        let html = Badge::new(Tone::Good, "<b>").to_string();
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn ages_are_told_in_two_units() {
        let told = |secs| span(TimeDelta::seconds(secs));
        assert_eq!(
            [told(-5), told(59), told(61), told(7_261), told(90_000)],
            ["0 s", "59 s", "1 min 1 s", "2 h 1 min", "1 d 1 h"]
        );
    }
}
