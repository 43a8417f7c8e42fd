//! Reservations and books.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_deposit_accounts_is_found() {
    let cases = [
        Case::of(
            "a deposit account's reservation",
            "reserved on deposit accounts",
            "deposit_account (id)",
            "currency = 'EUR'",
            "UPDATE deposit_account SET reserved = reserved + 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "a deposit account's balance",
            "books of deposit accounts",
            "deposit_account (id)",
            "currency = 'EUR'",
            "UPDATE deposit_account SET balance = balance - 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "a final payout that reserves",
            "reservations of payouts",
            "payout (id)",
            "status = 'failed'",
            "UPDATE payout SET amount_reserved = 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "an open payout that reserves too little",
            "reservations of payouts",
            "payout (id)",
            "status = 'pending'",
            "UPDATE payout SET amount_reserved = amount_reserved - 0.01 WHERE id = '{1}'",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
