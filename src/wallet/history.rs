//! What a user paid out, newest first.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::view::{HistoryItem, HistoryView};
use super::{User, Wallet, WalletError, cards};
use crate::domain::ids::OfferId;
use crate::store::{customers, offers};

const LIMIT_DEFAULT: u32 = 20;
const LIMIT_MAX: u32 = 100;

impl Wallet {
    /// A page of the user's payouts. `cursor` is the one that the page before answered; `limit` is 1 to 100, 20 by default.
    pub async fn history(
        &self,
        user: &User,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<HistoryView, WalletError> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(WalletError::not_valid("limit", format!("must be 1 to {LIMIT_MAX}")));
        }
        let before = match cursor {
            Some(cursor) => {
                read_cursor(cursor).ok_or_else(|| WalletError::not_valid("cursor", "is not one of ours"))?
            }
            None => (DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default(), OfferId(i64::MAX)),
        };
        let mut conn = self.gateway.db.get().await?;
        let Some(customer) = customers::find(&mut conn, user.tenant, &user.reference).await? else {
            return Ok(HistoryView { items: Vec::new(), next_cursor: None });
        };
        // One more than asked tells whether there is a next page.
        let mut rows = offers::history(&conn, user.tenant, customer.id, before, i64::from(limit) + 1).await?;
        let has_more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let items = rows
            .iter()
            .map(|(offer, iin, last_four)| {
                Ok(HistoryItem {
                    pay: self.pay_view(offer)?,
                    masked_pan: cards::masked(iin, last_four),
                    accepted_at: offer.accepted_at.unwrap_or(offer.quoted_at),
                    final_at: offer.final_at,
                })
            })
            .collect::<Result<Vec<_>, WalletError>>()?;
        let next_cursor = match items.last() {
            Some(last) if has_more => Some(write_cursor(last.accepted_at, last.pay.offer_id)),
            _ => None,
        };
        Ok(HistoryView { items, next_cursor })
    }
}

fn write_cursor(at: DateTime<Utc>, id: OfferId) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{id}", at.timestamp_micros()))
}

fn read_cursor(cursor: &str) -> Option<(DateTime<Utc>, OfferId)> {
    if cursor.len() > 64 {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, id) = text.split_once('.')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_refused() {
        let at = DateTime::from_timestamp_micros(1_763_718_000_123_456).unwrap();
        let id = OfferId(1_234_567_890_123_456);
        assert_eq!(read_cursor(&write_cursor(at, id)), Some((at, id)));
        for bad in ["", "x", "AAAA", "MS4", &"A".repeat(100), "9999999999999999999999.1"] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }
}
