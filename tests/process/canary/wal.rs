//! PostgreSQL's write-ahead log as its records have it. A record that doesn't fit a page goes on in the next one, behind that page's header:
//! what is searched for would be cut in two there.

use std::io::{self, Read};

/// As PostgreSQL is built, unless somebody builds it otherwise.
const PAGE_BYTES: usize = 8192;
/// `XLogPageHeaderData` and `XLogLongPageHeaderData` (src/include/access/xlog_internal.h), aligned to 8 bytes.
const HEADER_BYTES: usize = 24;
const LONG_HEADER_BYTES: usize = 40;
/// `XLP_LONG_HEADER`: of a segment's first page.
const IS_LONG: u8 = 0x02;
/// The higher byte of `XLOG_PAGE_MAGIC`, whatever the version.
const MAGIC: u8 = 0xd1;

/// A segment without its pages' headers. Pages that were never written have none, and are passed on as they are.
pub struct WithoutHeaders<R> {
    from: R,
    page: Vec<u8>,
    at: usize,
}

impl<R: Read> WithoutHeaders<R> {
    pub fn of(from: R) -> Self {
        Self { from, page: Vec::new(), at: 0 }
    }
}

impl<R: Read> Read for WithoutHeaders<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.page.len() {
            self.page.clear();
            self.from.by_ref().take(PAGE_BYTES as u64).read_to_end(&mut self.page)?;
            self.at = match self.page.as_slice() {
                [_, MAGIC, info, ..] if info & IS_LONG != 0 => LONG_HEADER_BYTES.min(self.page.len()),
                [_, MAGIC, ..] => HEADER_BYTES.min(self.page.len()),
                _ => 0,
            };
        }
        let length = into.len().min(self.page.len() - self.at);
        into[..length].copy_from_slice(&self.page[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[test]
fn what_a_pages_header_cuts_in_two_is_whole() {
    let mut segment = vec![0; 3 * PAGE_BYTES];
    let number = b"4111111111111111";
    segment[..4].copy_from_slice(&[0x10, MAGIC, IS_LONG, 0]);
    segment[PAGE_BYTES..PAGE_BYTES + 4].copy_from_slice(&[0x10, MAGIC, 0x01, 0]);
    segment[PAGE_BYTES - 7..PAGE_BYTES].copy_from_slice(&number[..7]);
    segment[PAGE_BYTES + HEADER_BYTES..][..9].copy_from_slice(&number[7..]);
    let has = |bytes: &[u8]| bytes.windows(number.len()).any(|window| window == number);
    assert!(!has(&segment));
    let mut joined = Vec::new();
    WithoutHeaders::of(segment.as_slice()).read_to_end(&mut joined).unwrap();
    assert!(has(&joined));
    // The last page was never written.
    assert_eq!(joined.len(), segment.len() - LONG_HEADER_BYTES - HEADER_BYTES);
}
