//! Ciphertexts, what stands beside them, and keys.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_cards_and_keys_is_found() {
    let cases = [
        Case::of(
            "a bit of pan_sealed",
            "sealed cards",
            "card (id)",
            "pan_sealed IS NOT NULL",
            "UPDATE card SET pan_sealed = set_byte(pan_sealed, 40, get_byte(pan_sealed, 40) # 1) WHERE id = {1}",
        ),
        Case::of(
            "a bit of holder_sealed",
            "sealed cards",
            "card (id)",
            "holder_sealed IS NOT NULL",
            "UPDATE card SET holder_sealed = set_byte(holder_sealed, 40, get_byte(holder_sealed, 40) # 1) WHERE \
             id = {1}",
        ),
        Case::of(
            "a bit of billing_sealed",
            "sealed cards",
            "card (id)",
            "billing_sealed IS NOT NULL",
            "UPDATE card SET billing_sealed = set_byte(billing_sealed, 40, get_byte(billing_sealed, 40) # 1) \
             WHERE id = {1}",
        ),
        Case::of(
            "a ciphertext cut short",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE card SET pan_sealed = substr(pan_sealed, 1, 20) WHERE id = {1}",
        ),
        Case::picked(
            "two cards' numbers swapped, card a",
            "sealed cards",
            "SELECT a.partner_id::text || '/' || a.mode, a.id::text, b.id::text FROM card a JOIN card b ON \
             a.customer_id = b.customer_id AND a.id < b.id ORDER BY 2, 3 LIMIT 1",
            "UPDATE card x SET pan_sealed = y.pan_sealed FROM card y WHERE (x.id, y.id) IN (({1}, {2}), ({2}, {1}))",
            "card {0}/{1}",
        ),
        Case::picked(
            "two cards' numbers swapped, card b",
            "sealed cards",
            "SELECT a.partner_id::text || '/' || a.mode, a.id::text, b.id::text FROM card a JOIN card b ON \
             a.customer_id = b.customer_id AND a.id < b.id ORDER BY 2, 3 LIMIT 1",
            "UPDATE card x SET pan_sealed = y.pan_sealed FROM card y WHERE (x.id, y.id) IN (({1}, {2}), ({2}, {1}))",
            "card {0}/{2}",
        ),
        Case::of(
            "a number in the holder's column",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE card SET holder_sealed = pan_sealed WHERE id = {1}",
        ),
        Case::of(
            "a card's fingerprint",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE card SET fingerprint = sha256('x') WHERE id = {1}",
        ),
        Case::of(
            "a card's fingerprint key",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE card SET fingerprint_key_id = 'another' WHERE id = {1}",
        ),
        Case::of(
            "a card's last four",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE card SET last_four = '0000' WHERE id = {1}",
        ),
        Case::of("a card's IIN", "sealed cards", "card (id)", "true", "UPDATE card SET iin = '400001' WHERE id = {1}"),
        Case::of(
            "a card's scheme",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE card SET scheme = 'MIR' WHERE id = {1}",
        ),
        Case::of(
            "a card's country",
            "sealed cards",
            "card (id)",
            "billing_country IS NOT NULL",
            "UPDATE card SET billing_country = 'FR' WHERE id = {1}",
        ),
        Case::picked(
            "a card of another customer",
            "sealed cards",
            "SELECT c.partner_id::text || '/' || c.mode, c.id::text, u.id::text FROM card c JOIN customer u ON \
             u.id <> c.customer_id WHERE c.last_four = '1500' LIMIT 1",
            "UPDATE card SET customer_id = '{2}' WHERE id = {1}",
            "card {0}/{1}",
        ),
        Case::of(
            "a data key",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE dek SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)",
        ),
        Case::of(
            "a data key of another name",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE dek SET kek_id = 'another'",
        ),
        Case::of("a data key is gone", "sealed cards", "card (id)", "true", "DELETE FROM dek"),
        Case::of("a data key is gone that a card names", "keys of cards", "card (id)", "true", "DELETE FROM dek"),
        Case::of(
            "a data key is retired that a card names",
            "keys of cards",
            "card (id)",
            "true",
            "UPDATE dek SET wrapped = '', retired_at = now()",
        ),
        Case::of("a data key is another mode's", "keys of cards", "card (id)", "true", "UPDATE dek SET mode = 'live'"),
        Case::of(
            "a retired key opens nothing",
            "sealed cards",
            "card (id)",
            "true",
            "UPDATE dek SET wrapped = '', retired_at = now()",
        ),
        Case::of(
            "a primary key is retired",
            "data keys",
            "dek (epoch)",
            "true",
            "UPDATE dek SET wrapped = '', retired_at = now()",
        ),
        Case::of(
            "a primary key is compromised",
            "data keys",
            "dek (epoch)",
            "true",
            "UPDATE dek SET compromised_at = now()",
        ),
        Case::picked(
            "a key is taken for drained that rows name",
            "data keys",
            "SELECT d.partner_id::text || '/' || d.mode, d.epoch::text FROM dek d JOIN card c ON sealed_key(c.holder_sealed) = d.id LIMIT 1",
            "UPDATE dek SET drained_at = now()",
            "dek {0}/{1}",
        ),
        Case::of(
            "a deleted card that keeps its number",
            "numbers of cards",
            "card (id)",
            "true",
            "UPDATE card SET hidden_at = now() WHERE id = {1}",
        ),
        Case::picked(
            "a number destroyed that a request needs",
            "numbers of cards",
            "SELECT partner_id::text || '/' || mode, card_id::text FROM payout_request WHERE final_at IS NULL \
             ORDER BY id LIMIT 1",
            "UPDATE card SET hidden_at = now(), destroyed_at = now(), pan_sealed = NULL WHERE id = {1}",
            "card {0}/{1}",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
