//! Texts that people and files bring: card numbers, amounts, tables, reports.

use chrono::{DateTime, Utc};
use num_bigint::BigInt;
use rust_decimal::Decimal;

use super::assert_tells_no_number;
use crate::domain::card::{
    CardExpiry, HolderName, Iin, IinDigits, IinTable, IssuerTable, Pan, masked_pan, strike_numbers,
};
use crate::domain::exact::parse_amount;
use crate::gateway::reconciliation::file;

/// Amounts come with the scale and the digits that their currency has: the first byte says which.
const SCALES: [(u8, u8); 5] = [(0, 15), (2, 15), (3, 12), (8, 18), (18, 10)];

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default()
}

/// A number, an expiry and a holder's name, line by line; and the text as one that is to be struck of numbers.
pub(super) fn card_number(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    if let Ok(pan) = Pan::parse(lines.next().unwrap_or_default()) {
        let digits = pan.expose();
        assert!((12..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(!format!("{pan:?}").contains(digits), "it shows itself");
        let masked = masked_pan(&Iin::of(&pan, IinDigits::Six), pan.last_four());
        assert!(!masked.contains(digits), "the mask shows the number");
        let known = IinTable::builtin().identify(&pan);
        assert!(known.is_err() || IinTable::builtin().rules(&pan).is_some());
        if pan.passes_luhn() && digits.len() >= 13 {
            assert!(!strike_numbers(digits).contains(digits), "it isn't struck");
        }
        assert_eq!(Pan::parse(digits).ok().map(|again| again.expose().to_owned()).as_deref(), Some(digits));
    }
    let (year, month) = lines.next().unwrap_or_default().split_once('-').unwrap_or_default();
    if let Ok(expiry) = CardExpiry::parse(year, month, noon()) {
        assert!((1..=12).contains(&expiry.month) && (2000..=2200).contains(&expiry.year), "{expiry:?}");
    }
    let name = lines.next().unwrap_or_default();
    if let Ok(holder) = HolderName::parse(name) {
        assert_eq!(HolderName::parse(holder.expose()).ok().map(|again| again.expose() == holder.expose()), Some(true));
    }
    let struck = strike_numbers(text);
    assert_eq!(strike_numbers(&struck), struck, "what is struck stays as it is");
    // On a line of its own: with `&#55` before it, a semicolon would end a digit.
    let planted = format!("{text}\n4111 1111 1111 1111\n{text}");
    assert!(strike_numbers(&planted).contains("\n[card number]\n"), "a number among others is struck");
}

pub(super) fn amount(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (scale, digits) = SCALES[usize::from(*which) % SCALES.len()];
    let Ok(amount) = parse_amount(text, scale, digits) else { return };
    assert!(amount >= Decimal::ZERO && amount.scale() == u32::from(scale), "{text} is {amount}");
    assert!(amount.trunc().to_string().len() <= usize::from(digits), "{text} is {amount}");
    assert_eq!(scaled(text, i64::from(scale)), Some(BigInt::from(amount.mantissa())), "{text} is {amount}");
    assert_eq!(parse_amount(&amount.to_string(), scale, digits), Ok(amount));
}

/// What a JSON number is, times 10^`scale`, by arithmetic without bounds (the standard reader of decimals drops what comes after the 28th).
/// `None`: it isn't whole then.
fn scaled(text: &str, scale: i64) -> Option<BigInt> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("{integer}{fraction}").parse().ok()?;
    if digits == BigInt::ZERO {
        return Some(digits);
    }
    let power = exponent.parse::<i64>().ok()? - i64::try_from(fraction.len()).ok()? + scale;
    let ten = BigInt::from(10).pow(u32::try_from(power.unsigned_abs()).ok()?);
    if power >= 0 { Some(digits * ten) } else { (&digits % &ten == BigInt::ZERO).then(|| digits / ten) }
}

/// The tables of issuers and schemes, which operators bring.
pub(super) fn iin_table(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(table) = IssuerTable::parse(text) {
        for iin in ["4", "411111", "41111111", "4111111111111111111"] {
            let _ = table.find(iin);
        }
    }
    if let (Ok(table), Ok(pan)) = (IinTable::parse(text), Pan::parse("4111111111111111")) {
        let _ = (table.rules(&pan), table.identify(&pan));
    }
}

pub(super) fn report_csv(data: &[u8]) {
    match file::read(data) {
        Ok(rows) => {
            for row in rows {
                assert!(row.amount_processed >= Decimal::ZERO && row.amount_returned >= Decimal::ZERO, "{row:?}");
            }
        }
        Err(lines) => {
            assert!(!lines.is_empty());
            for line in lines {
                assert_tells_no_number("a bad line", &line.to_string());
            }
        }
    }
}
