//! Reading a batch's CSV file: its encoding, its separator, its header and its rows. What a row means is the batch's to say.

use std::collections::HashSet;

use zeroize::Zeroizing;

use super::super::access::Problem;
use super::ROWS_MAX;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
const COLUMNS_MAX: usize = 64;

/// A column that a file may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Service,
    ServiceAmount,
    /// A field of the service.
    Field(String),
    Token,
    Reference,
    Description,
    CustomerReference,
    CustomerEmail,
    CustomerName,
    CustomerCountry,
}

impl Column {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "service" => Column::Service,
            "service_amount" => Column::ServiceAmount,
            "token" => Column::Token,
            "reference_id" => Column::Reference,
            "description" => Column::Description,
            "customer" | "customer.reference_id" => Column::CustomerReference,
            "customer.email" => Column::CustomerEmail,
            "customer.name" => Column::CustomerName,
            "customer.country" => Column::CustomerCountry,
            other => {
                let key = other.strip_prefix("fields.")?;
                let sound = (1..=64).contains(&key.len())
                    && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                return sound.then(|| Column::Field(key.to_owned()));
            }
        })
    }

    pub fn name(&self) -> String {
        match self {
            Column::Service => "service".to_owned(),
            Column::ServiceAmount => "service_amount".to_owned(),
            Column::Field(key) => format!("fields.{key}"),
            Column::Token => "token".to_owned(),
            Column::Reference => "reference_id".to_owned(),
            Column::Description => "description".to_owned(),
            Column::CustomerReference => "customer.reference_id".to_owned(),
            Column::CustomerEmail => "customer.email".to_owned(),
            Column::CustomerName => "customer.name".to_owned(),
            Column::CustomerCountry => "customer.country".to_owned(),
        }
    }
}

/// A row that isn't empty. Its values can hold card numbers: they are wiped, and never shown.
pub(super) struct Row {
    /// Where it begins in the file, from 1.
    pub line: i32,
    /// What isn't empty, without the spaces around it.
    pub values: Vec<(Column, Zeroizing<String>)>,
    /// Why it can't be read at all.
    pub problem: Option<String>,
}

fn refused(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new("", code, detail)
}

/// Reads a file whole.
pub(super) fn read(content: &[u8]) -> Result<Vec<Row>, Problem> {
    let content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
    if let Err(error) = std::str::from_utf8(content) {
        let before = content.get(..error.valid_up_to()).unwrap_or(content);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err(refused("NOT_UTF8", format!("line {line} isn't UTF-8: save the file in that encoding")));
    }
    if let Some(at) = content.iter().position(|byte| *byte == 0) {
        let line = content.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        return Err(refused("NOT_UTF8", format!("line {line} has zero bytes, as UTF-16 does: save the file in UTF-8")));
    }
    let separator = separator(content);
    if let Some(line) = ill_quoted(content, separator) {
        let detail = format!("the quotes on line {line} don't end where their value does: is the file whole?");
        return Err(refused("UNREADABLE", detail));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator)
        .from_reader(content);
    let mut records = reader.records();
    let header = loop {
        match records.next() {
            None => return Err(refused("EMPTY_FILE", "the file has no header")),
            Some(Ok(record)) if record.iter().all(str::is_empty) => {}
            Some(Ok(record)) => break record,
            Some(Err(_)) => return Err(refused("UNREADABLE", "the header can't be read")),
        }
    };
    let columns = columns(&header)?;
    let mut rows = Vec::new();
    let mut lines = Lines { content, at: 0, line: 1 };
    for record in records {
        let record = record.map_err(|_| refused("UNREADABLE", "the file can't be read as CSV"))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        if rows.len() == ROWS_MAX {
            return Err(refused("TOO_MANY_ROWS", format!("a batch has at most {ROWS_MAX} rows")));
        }
        let line = record.position().map_or(1, |position| lines.of(position));
        let problem = (record.len() != columns.len())
            .then(|| format!("has {} columns, the header has {}", record.len(), columns.len()));
        let values = columns.iter().cloned().zip(record.iter()).filter(|(_, value)| !value.is_empty());
        let values = values.map(|(column, value)| (column, Zeroizing::new(value.to_owned()))).collect();
        rows.push(Row { line, values, problem });
    }
    if rows.is_empty() { Err(refused("EMPTY_FILE", "the file has no rows")) } else { Ok(rows) }
}

/// The line of the first value whose quotes don't end, or end before it does (RFC 4180, section 2). A lenient reader makes something of both:
/// a smaller amount of a file that was cut, and `100` of `"1"00`.
fn ill_quoted(content: &[u8], separator: u8) -> Option<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Beginning,
        Plain,
        Quoted,
        /// Behind a quote that ends the value or is the first of two.
        Behind,
    }
    let (mut at, mut line, mut begun_on) = (At::Beginning, 1, 1);
    for byte in content {
        at = match (at, byte) {
            (At::Beginning, b'"') => {
                begun_on = line;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Behind,
            (At::Behind, b'"') | (At::Quoted, _) => At::Quoted,
            (_, byte) if *byte == separator || matches!(byte, b'\n' | b'\r') => At::Beginning,
            (At::Behind, b' ' | b'\t') => At::Behind,
            (At::Behind, _) => return Some(begun_on),
            (At::Beginning | At::Plain, _) => At::Plain,
        };
        line += usize::from(*byte == b'\n');
    }
    (at == At::Quoted).then_some(begun_on)
}

/// Counts lines as editors do: each of `\n`, `\r\n` and a `\r` alone ends one. The reader of CSV ends rows at all three, and counts the first.
struct Lines<'a> {
    content: &'a [u8],
    at: usize,
    line: i32,
}

impl Lines<'_> {
    /// The line on which a record begins that comes after those asked for before: its position is where the one before ended, and empty
    /// lines may lie between.
    fn of(&mut self, position: &csv::Position) -> i32 {
        let from = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(self.content.len());
        let rest = self.content.get(from..).unwrap_or_default();
        let begins = from + rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        while self.at < begins {
            let ends = match self.content.get(self.at) {
                Some(b'\n') => true,
                Some(b'\r') => self.content.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line = self.line.saturating_add(i32::from(ends));
            self.at += 1;
        }
        self.line
    }
}

/// The separator that the first line has most of, outside quotes; a comma if it has none.
fn separator(content: &[u8]) -> u8 {
    let mut counts = [0_usize; SEPARATORS.len()];
    let (mut quoted, mut begun) = (false, false);
    for byte in content {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted && begun => break,
            b'\n' | b'\r' => {}
            byte => {
                begun = true;
                if let Some(at) = SEPARATORS.iter().position(|separator| separator == byte).filter(|_| !quoted) {
                    counts[at] += 1;
                }
            }
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let at = counts.iter().position(|count| *count == most).unwrap_or(0);
    SEPARATORS[at]
}

fn columns(header: &csv::StringRecord) -> Result<Vec<Column>, Problem> {
    if header.len() > COLUMNS_MAX {
        return Err(refused("TOO_MANY_COLUMNS", format!("a file has at most {COLUMNS_MAX} columns")));
    }
    let mut columns = Vec::with_capacity(header.len());
    let mut seen = HashSet::new();
    for (name, number) in header.iter().zip(1..) {
        let Some(column) = Column::parse(name) else {
            // Its name isn't repeated: without a header it is a row, and can be a card number.
            let detail = format!(
                "column {number} has no name that is known: service, service_amount, fields.*, token, reference_id, description, \
                 customer.reference_id, customer.email, customer.name, customer.country"
            );
            return Err(refused("UNKNOWN_COLUMN", detail));
        };
        if !seen.insert(column.clone()) {
            return Err(refused("DUPLICATE_COLUMN", format!("column {number} is {} again", column.name())));
        }
        columns.push(column);
    }
    for needed in [Column::Service, Column::ServiceAmount] {
        if !seen.contains(&needed) {
            return Err(refused("MISSING_COLUMN", format!("the file has no column {}", needed.name())));
        }
    }
    Ok(columns)
}
