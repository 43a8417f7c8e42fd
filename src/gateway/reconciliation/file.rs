//! A report as a CSV file: `reference,original_id,status,amount_processed,amount_returned,currency,taken_at`, with its header, in any order
//! of columns. It is read whole or refused, with every line that can't be read.

use std::io::Read;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::providers::provider::{ReportRow, ReportedStatus};

/// The columns, as the header has them.
pub const COLUMNS: [&str; 7] =
    ["reference", "original_id", "status", "amount_processed", "amount_returned", "currency", "taken_at"];

/// A line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Counted from 1, the header included.
    pub line: u64,
    /// What is wrong, without what the line holds.
    pub what: String,
}

/// Reads a report.
pub fn read(file: impl Read) -> Result<Vec<ReportRow>, Vec<BadLine>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(vec![BadLine { line: 1, what: without_content(&error) }]),
    };
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|column| header.iter().filter(|name| name == column).count() != 1).collect();
    if !missing.is_empty() {
        let what = format!("the header needs each of these columns once: {}", missing.join(", "));
        return Err(vec![BadLine { line: 1, what }]);
    }
    let place = |column: &str| header.iter().position(|name| name == column).unwrap_or_default();
    let places = COLUMNS.map(place);
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                let fields = places.map(|place| record.get(place).unwrap_or_default());
                match row(fields) {
                    Ok(row) => rows.push(row),
                    Err(what) => bad.push(BadLine { line, what: what.to_owned() }),
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                bad.push(BadLine { line, what: without_content(&error) });
            }
        }
    }
    if bad.is_empty() { Ok(rows) } else { Err(bad) }
}

/// Never the line itself: it can hold anything.
fn without_content(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "isn't UTF-8".to_owned(),
        _ => "can't be read".to_owned(),
    }
}

fn row(fields: [&str; 7]) -> Result<ReportRow, &'static str> {
    let [reference, original_id, status, processed, returned, currency, taken_at] = fields;
    let amount = |text: &str| match text {
        "" => Some(Decimal::ZERO),
        text => Decimal::from_str_exact(text).ok().filter(|amount| *amount >= Decimal::ZERO),
    };
    let row = ReportRow {
        reference: reference.to_owned(),
        original_id: Some(original_id.to_owned()).filter(|id| !id.is_empty()),
        status: match status {
            "pending" => ReportedStatus::Pending,
            "processed" => ReportedStatus::Processed,
            "declined" => ReportedStatus::Declined,
            "returned" => ReportedStatus::Returned,
            _ => return Err("status is one of pending, processed, declined, returned"),
        },
        amount_processed: amount(processed).ok_or("amount_processed is a decimal number, zero or above")?,
        amount_returned: amount(returned).ok_or("amount_returned is a decimal number, zero or above")?,
        currency: currency.parse().map_err(|_| "currency is a currency's code")?,
        taken_at: DateTime::parse_from_rfc3339(taken_at)
            .map_err(|_| "taken_at is a time as 2026-11-21T10:00:00Z")?
            .with_timezone(&Utc),
    };
    match row.status {
        ReportedStatus::Processed | ReportedStatus::Returned if row.amount_processed.is_zero() => {
            Err("what was processed or returned has an amount_processed above zero")
        }
        ReportedStatus::Returned if row.amount_returned.is_zero() => {
            Err("what was returned has an amount_returned above zero")
        }
        ReportedStatus::Pending | ReportedStatus::Processed | ReportedStatus::Declined | ReportedStatus::Returned => {
            Ok(row)
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    const HEADER: &str = "reference,original_id,status,amount_processed,amount_returned,currency,taken_at\n";

    #[test]
    fn a_report_is_read_by_its_header() {
        let text = "status, taken_at,currency,reference,original_id,amount_processed,amount_returned\n\
                    returned,2026-11-21T10:00:00+02:00,EUR,abc,,100.10,5\n";
        let rows = read(text.as_bytes()).unwrap();
        assert_eq!(
            rows,
            [ReportRow {
                reference: "abc".to_owned(),
                original_id: None,
                status: ReportedStatus::Returned,
                amount_processed: dec!(100.10),
                amount_returned: dec!(5),
                currency: "EUR".parse().unwrap(),
                taken_at: "2026-11-21T08:00:00Z".parse().unwrap(),
            }]
        );
        assert_eq!(read(HEADER.as_bytes()).unwrap(), []);
    }

    #[test]
    fn every_line_that_cannot_be_read_is_told_and_nothing_is_taken() {
        let text = format!(
            "{HEADER}a,1,processed,100,0,EUR,2026-11-21T10:00:00Z\n\
             b,2,paid,100,0,EUR,2026-11-21T10:00:00Z\n\
             c,3,processed,1e2,0,EUR,2026-11-21T10:00:00Z\n\
             d,4,processed,-1,0,EUR,2026-11-21T10:00:00Z\n\
             e,5,processed,1,0,EUR,yesterday\n\
             f,6,processed,1\n\
             g,7,processed,0,0,EUR,2026-11-21T10:00:00Z\n"
        );
        let bad = read(text.as_bytes()).unwrap_err();
        let lines: Vec<u64> = bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8], "{bad:?}");
        assert_eq!(bad[4].to_string(), "line 7: has 4 fields where the header has 7");
    }

    #[test]
    fn a_header_without_a_column_is_refused() {
        let bad = read("reference,status\nabc,processed\n".as_bytes()).unwrap_err();
        assert_eq!(bad.len(), 1);
        assert!(bad[0].what.contains("amount_processed"), "{bad:?}");
    }
}
