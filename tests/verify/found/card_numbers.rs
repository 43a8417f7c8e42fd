//! Card numbers where none may be.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_in_the_clear_is_found_wherever_it_stands() {
    let cases = [
        Case::of(
            "a card number in a description",
            "no card number in the clear",
            "payout_request (id)",
            "true",
            "UPDATE payout_request SET description = 'to card 4111111111111111' WHERE id::text = '{1}'",
        ),
        Case::of(
            "a card number in fields",
            "no card number in the clear",
            "payout_request (id)",
            "true",
            r#"UPDATE payout_request SET fields = '{"account": "4111-1111-1111-1111"}' WHERE id::text = '{1}'"#,
        ),
        Case::of(
            "a card number in a JSON number",
            "no card number in the clear",
            "payout_request (id)",
            "true",
            r#"UPDATE payout_request SET fields = '{"account": 4111111111111111}' WHERE id::text = '{1}'"#,
        ),
        Case::of(
            "a card number in a provider's message",
            "no card number in the clear",
            "payout (id)",
            "true",
            "UPDATE payout SET provider_message = 'card 4111 1111 1111 1111 refused' WHERE id::text = '{1}'",
        ),
        Case::of(
            "a card number in a customer's reference",
            "no card number in the clear",
            "customer (id)",
            "true",
            "UPDATE customer SET reference = 'u4111111111111111' WHERE id::text = '{1}'",
        ),
        Case::of(
            "a card number in evidence",
            "no card number in the clear",
            "staff_case (id)",
            "true",
            r#"UPDATE staff_case SET evidence = '[["5555 5555 5555 4444"]]' WHERE id::text = '{1}'"#,
        ),
        Case::of(
            "a card number in an error",
            "no card number in the clear",
            "job (kind, subject_id)",
            "true",
            "UPDATE job SET last_error = '378282246310005' WHERE kind::text = '{1}' AND subject_id::text = '{2}'",
        ),
        Case::of(
            "a card number in an event",
            "no card number in the clear",
            "event (request_id, seq)",
            "true",
            r#"UPDATE event SET data = data || '{"note": "4111111111111111"}' WHERE request_id::text = '{1}' AND seq::text = '{2}'"#,
        ),
        Case::of(
            "a card number in a list",
            "no card number in the clear",
            "payout_point (id)",
            "true",
            "UPDATE payout_point SET currencies = ARRAY['EUR', '4111111111111111'] WHERE id::text = '{1}'",
        ),
        Case::of(
            "a card number in a provider's settings",
            "no card number in the clear",
            "provider_account (id)",
            "true",
            r#"UPDATE provider_account SET settings = '{"4111111111111111": "x"}' WHERE id::text = '{1}'"#,
        ),
        Case::picked(
            "a card number in a table that nobody knows",
            "no card number in the clear",
            "SELECT 1",
            r#"CREATE TABLE note ("the key" integer PRIMARY KEY, body varchar); INSERT INTO note VALUES (7, '4111111111111111')"#,
            "note 7",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
