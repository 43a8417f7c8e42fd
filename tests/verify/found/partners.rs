//! What partners hold, and the cards that came in with their requests.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_partners_balances_and_cards_is_found() {
    let cases = [
        Case::picked(
            "what an open request holds",
            "held balances of partners",
            "SELECT partner_id::text || '/' || mode, id::text, partner_id::text, mode, point_currency FROM payout_request \
             WHERE funding = 'partner_balance' AND status = 'ready' AND point_currency = 'EUR'",
            "UPDATE payout_request SET point_amount = point_amount + 1 WHERE id = '{1}'",
            "partner_held {2}/{3}/{4}",
        ),
        Case::of(
            "a card's number, destroyed too early",
            "numbers of requests' cards",
            "request_card (request_id)",
            "request_id IN (SELECT id FROM payout_request WHERE status = 'ready')",
            "UPDATE request_card SET pan_sealed = NULL, destroyed_at = now() WHERE request_id = '{1}'",
        ),
        Case::of(
            "a card's number, flipped by a bit",
            "sealed cards of requests",
            "request_card (request_id)",
            "pan_sealed IS NOT NULL",
            "UPDATE request_card SET pan_sealed = set_byte(pan_sealed, length(pan_sealed) - 1, \
             get_byte(pan_sealed, length(pan_sealed) - 1) # 1) WHERE request_id = '{1}'",
        ),
        Case::of(
            "a card's last four digits",
            "sealed cards of requests",
            "request_card (request_id)",
            "pan_sealed IS NOT NULL",
            "UPDATE request_card SET last_four = '0000' WHERE request_id = '{1}'",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
