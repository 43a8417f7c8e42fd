//! What reconciliation booked, and the cases that wait for it.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_what_is_recoverable_is_found() {
    let cases = [
        Case::of(
            "what an unmatched payment has booked",
            "unmatched payments",
            "unmatched_payment (id)",
            "booked > closed",
            "UPDATE unmatched_payment SET booked = booked + 1 WHERE id = '{1}'",
        ),
        Case::of(
            "what of it was closed",
            "unmatched payments",
            "unmatched_payment (id)",
            "booked > closed",
            "UPDATE unmatched_payment SET closed = booked WHERE id = '{1}'",
        ),
        Case::of(
            "an unmatched payment without a case",
            "unmatched payments",
            "unmatched_payment (id)",
            "booked > closed",
            "UPDATE staff_case c SET closed_at = now(), closing = 'agrees', closed_by = 'x' FROM unmatched_payment u \
             WHERE u.id = '{1}' AND c.subject = u.reference",
        ),
        Case::of(
            "a late success's case closed with nothing booked",
            "recoverable balances",
            "staff_case (id)",
            "kind = 'late_success' AND closed_at IS NULL",
            "UPDATE staff_case SET closed_at = now(), closing = 'recovered', closed_by = 'x' WHERE id = '{1}'",
        )
        .names("recoverable {0}/EUR"),
        Case::of(
            "a write-off of no case",
            "entries have causes",
            "entry (id)",
            "kind = 'write_off'",
            "UPDATE entry SET reference = 'nothing' WHERE id = '{1}'",
        ),
        Case::of(
            "an explained case that is open again",
            "entries have causes",
            "entry (id)",
            "kind = 'correction'",
            "UPDATE staff_case SET closed_at = NULL, closing = NULL, closed_by = NULL WHERE closing = 'explained'",
        ),
        Case::of(
            "an unmatched entry of no payment",
            "entries have causes",
            "entry (id)",
            "kind = 'unmatched'",
            "UPDATE entry SET reference = 'nothing.1' WHERE id = '{1}'",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
