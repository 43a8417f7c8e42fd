//! Which scheme a card number belongs to, and the scheme's rules for its numbers. The ranges are data: `iin.csv`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{CardScheme, Pan};

/// Why a card number can't be one of a scheme that we know. Says nothing of the number itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardCheckError {
    #[error("the card's scheme is not supported")]
    UnknownScheme,
    #[error("a {0} card number has another length")]
    Length(CardScheme),
    #[error("the card number is mistyped")]
    Checksum,
}

/// The scheme of `pan` by the built-in table, when its length and its check digit are what the scheme asks for.
pub fn identify(pan: &Pan) -> Result<CardScheme, CardCheckError> {
    IinTable::builtin().identify(pan)
}

/// What a scheme asks of the numbers in one of its ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardNumberRules {
    pub scheme: CardScheme,
    /// How many digits a number may have.
    pub lengths: Vec<usize>,
    /// Whether the last digit is a check digit (ISO/IEC 7812-1 annex B).
    pub luhn: bool,
}

impl CardNumberRules {
    /// Whether `pan` keeps these rules; that it lies in their range is the table's to say.
    pub fn check(&self, pan: &Pan) -> Result<CardScheme, CardCheckError> {
        if !self.lengths.contains(&pan.expose().len()) {
            return Err(CardCheckError::Length(self.scheme));
        }
        if self.luhn && !pan.passes_luhn() {
            return Err(CardCheckError::Checksum);
        }
        Ok(self.scheme)
    }
}

/// Number ranges with their rules; the longest matching prefix wins.
#[derive(Clone, Debug)]
pub struct IinTable {
    /// By the length of the prefix, then by the first prefix: the last prefix of the range, and the rules.
    ranges: BTreeMap<usize, BTreeMap<u32, (u32, CardNumberRules)>>,
}

/// A line of a table that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the IIN table: {what}")]
pub struct IinTableError {
    pub line: usize,
    pub what: &'static str,
}

impl IinTable {
    /// The table that ships with the program.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<IinTable> = LazyLock::new(|| {
            IinTable::parse(include_str!("iin.csv")).expect("the table is part of the program, and a test reads it")
        });
        &BUILTIN
    }

    /// Reads a table: `first,last,scheme,lengths,luhn` a line, `#` starts a comment line.
    pub fn parse(text: &str) -> Result<Self, IinTableError> {
        let mut table = Self { ranges: BTreeMap::new() };
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            table.add(line).map_err(|what| IinTableError { line: n + 1, what })?;
        }
        Ok(table)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let mut columns = line.split(',').map(str::trim);
        let (Some(first), Some(last), Some(scheme), Some(lengths), Some(luhn), None) =
            (columns.next(), columns.next(), columns.next(), columns.next(), columns.next(), columns.next())
        else {
            return Err("a line is first,last,scheme,lengths,luhn");
        };
        let digits = first.len();
        if !(1..=8).contains(&digits) || last.len() != digits {
            return Err("first and last are prefixes of the same length, 1 to 8 digits");
        }
        let (first, last) = (prefix(first)?, prefix(last)?);
        if first > last {
            return Err("the first prefix is above the last");
        }
        let luhn = match luhn {
            "yes" => true,
            "no" => false,
            _ => return Err("luhn is yes or no"),
        };
        let scheme = scheme.parse().map_err(|_| "no such scheme")?;
        let rules = CardNumberRules { scheme, lengths: read_lengths(lengths)?, luhn };

        let ranges = self.ranges.entry(digits).or_default();
        let below = ranges.range(..=last).next_back();
        if below.is_some_and(|(_, (below_last, _))| *below_last >= first) {
            return Err("the range overlaps another of the same length");
        }
        ranges.insert(first, (last, rules));
        Ok(())
    }

    /// The rules of the longest prefix that `pan` starts with.
    pub fn rules(&self, pan: &Pan) -> Option<&CardNumberRules> {
        self.ranges.iter().rev().find_map(|(digits, ranges)| {
            let wanted = prefix(pan.expose().get(..*digits)?).ok()?;
            let (_, (last, rules)) = ranges.range(..=wanted).next_back()?;
            (wanted <= *last).then_some(rules)
        })
    }

    /// The scheme of `pan`, when its length and its check digit are what the scheme asks for.
    pub fn identify(&self, pan: &Pan) -> Result<CardScheme, CardCheckError> {
        self.rules(pan).ok_or(CardCheckError::UnknownScheme)?.check(pan)
    }
}

fn prefix(text: &str) -> Result<u32, &'static str> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a prefix has digits only");
    }
    text.parse().map_err(|_| "a prefix has 1 to 8 digits")
}

/// `16`, `16-19` or `13|16|19`; each length within the bounds of a card number.
fn read_lengths(text: &str) -> Result<Vec<usize>, &'static str> {
    const REFUSED: &str = "lengths are A, A-B or A|B|C, within 12 to 19";
    let number = |text: &str| text.parse::<usize>().ok().filter(|n| (12..=19).contains(n)).ok_or(REFUSED);
    let lengths: Vec<usize> = match text.split_once('-') {
        Some((from, to)) => (number(from)?..=number(to)?).collect(),
        None => text.split('|').map(number).collect::<Result<_, _>>()?,
    };
    if lengths.is_empty() { Err(REFUSED) } else { Ok(lengths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(digits: &str) -> Result<CardScheme, CardCheckError> {
        identify(&Pan::parse(digits).unwrap())
    }

    /// `prefix` filled up to `length` digits, the last of them a right check digit.
    fn with_check_digit(prefix: &str, length: usize) -> String {
        (0..10)
            .map(|digit| format!("{prefix:0<width$}{digit}", width = length - 1))
            .find(|digits| Pan::parse(digits).unwrap().passes_luhn())
            .unwrap()
    }

    #[test]
    fn well_known_test_numbers_are_told_apart() {
        for (digits, scheme) in [
            ("4111111111111111", CardScheme::Visa),
            ("4242424242424242", CardScheme::Visa),
            ("4222222222222", CardScheme::Visa),
            ("5555555555554444", CardScheme::Mastercard),
            ("2223003122003222", CardScheme::Mastercard),
            ("378282246310005", CardScheme::Amex),
            ("341111111111111", CardScheme::Amex),
            ("6011111111111117", CardScheme::Discover),
            ("6500000000000002", CardScheme::Discover),
            ("3530111333300000", CardScheme::Jcb),
            ("30569309025904", CardScheme::Diners),
            ("38520000023237", CardScheme::Diners),
            ("6200000000000005", CardScheme::UnionPay),
            ("6759649826438453", CardScheme::Maestro),
            ("2200000000000004", CardScheme::Mir),
        ] {
            assert_eq!(check(digits), Ok(scheme), "{digits}");
        }
    }

    #[test]
    fn ranges_end_where_they_should() {
        let scheme = |prefix: &str| check(&with_check_digit(prefix, 16));
        for (inside, expected) in [
            ("2221", CardScheme::Mastercard),
            ("2720", CardScheme::Mastercard),
            ("51", CardScheme::Mastercard),
            ("55", CardScheme::Mastercard),
            ("2200", CardScheme::Mir),
            ("2204", CardScheme::Mir),
            ("3528", CardScheme::Jcb),
            ("3589", CardScheme::Jcb),
            ("300", CardScheme::Diners),
            ("305", CardScheme::Diners),
            ("3095", CardScheme::Diners),
            ("39", CardScheme::Diners),
            ("644", CardScheme::Discover),
            ("649", CardScheme::Discover),
            ("81", CardScheme::UnionPay),
            ("6763", CardScheme::Maestro),
        ] {
            assert_eq!(scheme(inside), Ok(expected), "{inside}");
        }
        for outside in
            ["2220", "2721", "50", "56", "2199", "2205", "3527", "3590", "306", "3094", "643", "6764", "6012", "0", "9"]
        {
            assert_eq!(scheme(outside), Err(CardCheckError::UnknownScheme), "{outside}");
        }
    }

    #[test]
    fn a_wrong_check_digit_is_refused_where_the_scheme_has_one() {
        for digits in ["4111111111111112", "5555555555554445", "378282246310006", "2200000000000005"] {
            assert_eq!(check(digits), Err(CardCheckError::Checksum), "{digits}");
        }
        assert_eq!(check("6200000000000006"), Ok(CardScheme::UnionPay));
    }

    #[test]
    fn every_swap_of_one_digit_is_caught() {
        for place in 1..16 {
            let mut digits = *b"4242424242424242";
            digits[place] = if digits[place] == b'9' { b'0' } else { digits[place] + 1 };
            assert_eq!(check(std::str::from_utf8(&digits).unwrap()), Err(CardCheckError::Checksum), "place {place}");
        }
    }

    #[test]
    fn each_scheme_has_its_own_lengths() {
        for (prefix, length, scheme) in [
            ("4", 15, CardScheme::Visa),
            ("4", 18, CardScheme::Visa),
            ("51", 19, CardScheme::Mastercard),
            ("34", 16, CardScheme::Amex),
            ("6011", 15, CardScheme::Discover),
            ("36", 13, CardScheme::Diners),
            ("62", 15, CardScheme::UnionPay),
        ] {
            assert_eq!(
                check(&with_check_digit(prefix, length)),
                Err(CardCheckError::Length(scheme)),
                "{prefix} {length}"
            );
        }
        for (prefix, length) in [("4", 13), ("4", 19), ("5018", 12), ("5018", 19), ("62", 19), ("36", 14)] {
            assert!(check(&with_check_digit(prefix, length)).is_ok(), "{prefix} {length}");
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = IinTable::parse("4,4,VISA,16,yes\n4111,4111,MIR,16,yes\n411112,411119,JCB,16,yes").unwrap();
        let scheme = |digits: &str| table.rules(&Pan::parse(digits).unwrap()).map(|rules| rules.scheme);
        assert_eq!(scheme("4111111111111111"), Some(CardScheme::Mir));
        assert_eq!(scheme("4111121111111111"), Some(CardScheme::Jcb));
        assert_eq!(scheme("4112111111111111"), Some(CardScheme::Visa));
        assert_eq!(scheme("5112111111111111"), None);
    }

    #[test]
    fn a_bad_table_is_refused_by_its_line() {
        for (bad, what) in [
            ("4,4,VISA,16", "a line is"),
            ("4,4,VISA,16,yes,more", "a line is"),
            ("4,44,VISA,16,yes", "same length"),
            (",,VISA,16,yes", "same length"),
            ("+4,+5,VISA,16,yes", "digits only"),
            ("5,4,VISA,16,yes", "above"),
            ("4,4,PISA,16,yes", "no such scheme"),
            ("4,4,VISA,11,yes", "lengths"),
            ("4,4,VISA,19-16,yes", "lengths"),
            ("4,4,VISA,,yes", "lengths"),
            ("4,4,VISA,16,maybe", "luhn"),
            ("50,52,VISA,16,yes", "overlaps"),
            ("55,56,VISA,16,yes", "overlaps"),
            ("50,60,VISA,16,yes", "overlaps"),
            ("51,55,VISA,16,yes", "overlaps"),
        ] {
            let error = IinTable::parse(&format!("# head\n51,55,MASTERCARD,16,yes\n{bad}")).unwrap_err();
            assert_eq!(error.line, 3, "{bad}");
            assert!(error.what.contains(what), "{bad}: {}", error.what);
        }
    }
}
