//! Targets for fuzzing of what batches read; see [`crate::fuzz`].

use super::{ROWS_MAX, file};
use crate::fuzz::assert_tells_no_number;

/// A batch's file: its rows come in order, none of their values is empty, and a refusal tells nothing of them.
pub fn batch_csv(data: &[u8]) {
    match file::read(data) {
        Ok(rows) => {
            assert!((1..=ROWS_MAX).contains(&rows.len()));
            assert!(rows.is_sorted_by(|a, b| a.line < b.line), "the lines go up");
            let lines =
                data.iter().filter(|byte| **byte == b'\n').count() + data.iter().filter(|byte| **byte == b'\r').count();
            for row in rows {
                assert!(
                    row.line >= 1 && usize::try_from(row.line).is_ok_and(|line| line <= lines + 1),
                    "line {}",
                    row.line
                );
                assert!(row.values.iter().all(|(_, value)| !value.is_empty()));
                if let Some(problem) = &row.problem {
                    assert_tells_no_number("a row's problem", problem);
                }
            }
        }
        Err(problem) => assert_tells_no_number("a refusal", &problem.detail),
    }
}
