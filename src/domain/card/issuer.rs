//! Who issued a card, as far as its first digits tell: type, brand, issuer, country. The ranges come from a file that the operator has from
//! its schemes or a data provider; nothing that is complete is free to ship. Routing reads it; no check of a card does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::CardScheme;

/// The columns of the file, in this order.
pub const COLUMNS: &str = "first,last,scheme,type,brand,issuer,country";

/// The most digits of a prefix: no more of a number is kept in the clear.
const DIGITS_MAX: usize = 8;
const TEXT_CHARS_MAX: usize = 100;

/// What the digits tell. What isn't known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuer {
    pub scheme: Option<CardScheme>,
    /// `debit`, `credit`, `prepaid` or `charge`.
    pub kind: Option<Arc<str>>,
    pub brand: Option<Arc<str>>,
    pub name: Option<Arc<str>>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<Arc<str>>,
}

/// Ranges of prefixes with what is known of them; the longest matching prefix wins.
#[derive(Clone, Debug, Default)]
pub struct IssuerTable {
    /// Where the data is from and of which day, as the file says.
    pub source: String,
    pub date: String,
    /// By the length of the prefix, then by the first prefix: the last prefix of the range, and the issuer.
    ranges: BTreeMap<usize, BTreeMap<u32, (u32, Issuer)>>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerTableError {
    #[error("line {line}: {what}")]
    Line { line: usize, what: String },
    #[error("a comment line `# {0}: ...` is missing")]
    Undated(&'static str),
}

const KINDS: [&str; 4] = ["debit", "credit", "prepaid", "charge"];

impl IssuerTable {
    /// Reads a table: lines of [`COLUMNS`], which the first line that is no comment names; a field may be quoted (RFC 4180), and an empty
    /// one isn't known. Comment lines begin with `#`; `# Source: ...` and `# Date: ...` are asked for, since data of nobody knows when is
    /// worse than none.
    pub fn parse(text: &str) -> Result<Self, IssuerTableError> {
        let mut table = Self { source: comment(text, "Source")?, date: comment(text, "Date")?, ..Self::default() };
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .has_headers(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let named = reader.headers().map(|names| names.iter().collect::<Vec<_>>().join(","));
        if named.as_deref().ok() != Some(COLUMNS) {
            return Err(IssuerTableError::Line { line: 1, what: format!("the columns are {COLUMNS}") });
        }
        // Most ranges share a few countries and brands.
        let mut words = BTreeSet::new();
        for record in reader.records() {
            let at =
                |record: &csv::StringRecord| record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
            let record = record.map_err(|error| {
                let line = error.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
                IssuerTableError::Line { line, what: format!("a line has the columns {COLUMNS}") }
            })?;
            let line = at(&record);
            table.add(&record, &mut words).map_err(|what| IssuerTableError::Line { line, what })?;
        }
        Ok(table)
    }

    fn add(&mut self, record: &csv::StringRecord, words: &mut BTreeSet<Arc<str>>) -> Result<(), String> {
        let column = |n: usize| record.get(n).unwrap_or_default();
        let (first, last) = (column(0), column(1));
        let digits = first.len();
        if !(4..=DIGITS_MAX).contains(&digits) || last.len() != digits {
            return Err(format!("first and last are prefixes of the same length, 4 to {DIGITS_MAX} digits"));
        }
        let (Some(first), Some(last)) = (prefix(first), prefix(last)) else {
            return Err("a prefix has digits only".to_owned());
        };
        if first > last {
            return Err("the first prefix is above the last".to_owned());
        }
        let scheme = match column(2) {
            "" => None,
            name => Some(name.parse().map_err(|_| "no such scheme".to_owned())?),
        };
        let mut word = |n: usize, is_sound: &dyn Fn(&str) -> bool, what: &str| match column(n) {
            "" => Ok(None),
            text if is_sound(text) => {
                if let Some(word) = words.get(text) {
                    return Ok(Some(Arc::clone(word)));
                }
                let word: Arc<str> = text.into();
                words.insert(Arc::clone(&word));
                Ok(Some(word))
            }
            _ => Err(what.to_owned()),
        };
        let is_text = |text: &str| text.chars().count() <= TEXT_CHARS_MAX && !text.chars().any(char::is_control);
        let is_country = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        let issuer = Issuer {
            scheme,
            kind: word(3, &|text| KINDS.contains(&text), "a type is debit, credit, prepaid or charge")?,
            brand: word(4, &is_text, "a brand has up to 100 characters")?,
            name: word(5, &is_text, "an issuer has up to 100 characters")?,
            country: word(6, &is_country, "a country has two capital letters (ISO 3166-1 alpha-2)")?,
        };
        let ranges = self.ranges.entry(digits).or_default();
        if ranges.range(..=last).next_back().is_some_and(|(_, (below_last, _))| *below_last >= first) {
            return Err("the range overlaps another of the same length".to_owned());
        }
        ranges.insert(first, (last, issuer));
        Ok(())
    }

    /// What is known of numbers that begin so: by the longest prefix that the digits reach to.
    pub fn find(&self, iin: &str) -> Option<&Issuer> {
        self.ranges.iter().rev().find_map(|(digits, ranges)| {
            let wanted = prefix(iin.get(..*digits)?)?;
            let (_, (last, issuer)) = ranges.range(..=wanted).next_back()?;
            (wanted <= *last).then_some(issuer)
        })
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.ranges.values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

fn prefix(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn comment(text: &str, name: &'static str) -> Result<String, IssuerTableError> {
    let comments = text.lines().filter_map(|line| line.trim().strip_prefix('#'));
    let said = comments.filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
    let said = said.map(|(_, said)| said.trim().to_owned()).filter(|said| !said.is_empty());
    said.ok_or(IssuerTableError::Undated(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Source: a test\n# Date: 2026-11-21\nfirst,last,scheme,type,brand,issuer,country\n";

    fn table(lines: &str) -> Result<IssuerTable, IssuerTableError> {
        IssuerTable::parse(&format!("{HEAD}{lines}"))
    }

    #[test]
    fn the_longest_prefix_wins_as_far_as_the_digits_reach() {
        let table = table(
            "400000,499999,VISA,credit,,,US\n41111111,41111119,VISA,debit,Electron,\"Bank, First\",LT\n4111,4111,VISA,,,,GB\n",
        )
        .unwrap();
        assert_eq!((table.len(), table.source.as_str(), table.date.as_str()), (3, "a test", "2026-11-21"));
        let found = table.find("41111112").unwrap();
        assert_eq!((found.kind.as_deref(), found.name.as_deref()), (Some("debit"), Some("Bank, First")));
        assert_eq!((found.brand.as_deref(), found.country.as_deref()), (Some("Electron"), Some("LT")));
        // Six digits don't reach to a range of eight.
        assert_eq!(table.find("411111").unwrap().country.as_deref(), Some("US"));
        assert_eq!(table.find("41111120").unwrap().country.as_deref(), Some("US"));
        assert_eq!(table.find("4111").unwrap().country.as_deref(), Some("GB"));
        assert_eq!(table.find("500000"), None);
        assert_eq!(table.find(""), None);
        assert_eq!(table.find("4x1111"), None);
    }

    #[test]
    fn a_file_that_is_wrong_says_where() {
        for (lines, line) in [
            ("400000,399999,VISA,credit,,,US\n", 4),
            ("400000,499999,VISA,credit,,,US\n450000,450000,VISA,debit,,,US\n", 5),
            ("400000,499999,VISA,loan,,,US\n", 4),
            ("400000,499999,VISTA,credit,,,US\n", 4),
            ("400000,499999,VISA,credit,,,usa\n", 4),
            ("400,499,VISA,credit,,,US\n", 4),
            ("400000,4999999,VISA,credit,,,US\n", 4),
            ("400000,499999,VISA\n", 4),
            ("+00000,499999,VISA,credit,,,US\n", 4),
        ] {
            match table(lines) {
                Err(IssuerTableError::Line { line: told, .. }) => assert_eq!(told, line, "{lines}"),
                other => panic!("{lines}: {other:?}"),
            }
        }
        let undated = IssuerTable::parse("# Source: x\nfirst,last,scheme,type,brand,issuer,country\n");
        assert_eq!(undated.unwrap_err(), IssuerTableError::Undated("Date"));
        let other = IssuerTable::parse("# Source: x\n# Date: y\nbin,country\n400000,US\n");
        assert!(matches!(other, Err(IssuerTableError::Line { .. })));
    }
}
