use super::file::{Column, Row, read};

fn rows(text: &str) -> Vec<(i32, Vec<(String, String)>)> {
    let plain = |row: &Row| row.values.iter().map(|(column, value)| (column.name(), value.to_string())).collect();
    read(text.as_bytes()).unwrap().iter().map(|row| (row.line, plain(row))).collect()
}

fn refused(content: &[u8]) -> (String, String) {
    let problem = read(content).err().unwrap();
    (problem.code.into_owned(), problem.detail)
}

#[test]
fn separators_quotes_marks_and_line_ends_are_all_the_same_file() {
    let expected = vec![
        (
            2,
            vec![
                ("service".into(), "test_usd".into()),
                ("service_amount".into(), "1".into()),
                ("description".into(), "a,b;c".into()),
            ],
        ),
        (4, vec![("service".into(), "test_usd".into()), ("service_amount".into(), "2".into())]),
    ];
    for separator in [",", ";", "\t"] {
        for (mark, end) in [("", "\n"), ("\u{feff}", "\r\n"), ("", "\r")] {
            let text = ["service|service_amount|description", "test_usd| 1 |\"a,b;c\"", "", "test_usd|2|", "||", ""];
            let text = format!("{mark}{}", text.join(end)).replace('|', separator);
            assert_eq!(rows(&text), expected, "{separator:?} {end:?}");
        }
    }
}

#[test]
fn headers_are_checked_before_anything_else() {
    assert_eq!(refused(b"").0, "EMPTY_FILE");
    assert_eq!(refused(b"service,service_amount\n\n").0, "EMPTY_FILE");
    assert_eq!(refused(b"service,service_amount,service\na,1,b").0, "DUPLICATE_COLUMN");
    assert_eq!(refused(b"service,amount\na,1").0, "UNKNOWN_COLUMN");
    assert_eq!(refused(b"service\na").0, "MISSING_COLUMN");
    let (code, detail) = refused(b"card_eur,4111111111111111\n");
    assert_eq!(code, "UNKNOWN_COLUMN");
    assert!(!detail.contains("4111"));
}

#[test]
fn bytes_that_are_not_utf8_are_told_with_their_line() {
    let (code, detail) = refused(b"service,service_amount\ntest_usd,1\ntest_usd,\xe9\n");
    assert_eq!(code, "NOT_UTF8");
    assert!(detail.contains("line 3"), "{detail}");
    let (code, detail) = refused(b"s\0e\0r\0v\0i\0c\0e\0");
    assert_eq!(code, "NOT_UTF8");
    assert!(detail.contains("line 1") && detail.contains("UTF-16"), "{detail}");
}

#[test]
fn a_file_that_was_cut_within_quotes_is_no_file() {
    let (code, detail) = refused(b"service,service_amount\ntest_usd,1\ntest_usd,\"10");
    assert_eq!(code, "UNREADABLE");
    assert!(detail.contains("line 3"), "{detail}");
    // What one reader takes for 100, another takes for 1.
    for row in ["test_usd,\"1\"00", "test_usd,\"1\"\"00", "\"test_usd\"x,1"] {
        let file = format!("service,service_amount\n{row}\n");
        assert_eq!(refused(file.as_bytes()).0, "UNREADABLE", "{row}");
    }
    let told = rows("service,service_amount,description\n\"test_usd\" ,\"1\",\"5\"\" pipe\"\ntest_usd,2,5\" pipe\n");
    assert_eq!(told.iter().map(|(_, values)| values[2].1.as_str()).collect::<Vec<_>>(), ["5\" pipe", "5\" pipe"]);
}

#[test]
fn a_thousand_rows_are_read_and_one_more_is_refused() {
    let file = |count: usize| format!("service,service_amount\n{}", "test_usd,1\n".repeat(count));
    assert_eq!(read(file(1_000).as_bytes()).unwrap().len(), 1_000);
    assert_eq!(refused(file(1_001).as_bytes()).0, "TOO_MANY_ROWS");
}

#[test]
fn a_row_with_another_number_of_columns_is_told() {
    let read = read(b"service,service_amount\ntest_usd\ntest_usd,1,2\ntest_usd,1\n").unwrap();
    assert_eq!(read.iter().map(|row| row.problem.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(read[2].values[0].0, Column::Service);
}
