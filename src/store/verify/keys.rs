//! Sealed values and the data keys that they name.

use super::{broken_rows, row_key};

/// What is wrong with the key that a value names; NULL where nothing is.
macro_rules! wrong_key {
    () => {
        "CASE WHEN d.id IS NULL THEN v.name || ' names a data key that isn''t there' \
              WHEN d.partner_id <> t.partner_id OR d.mode <> t.mode THEN v.name || ' names a data key of another partner or mode' \
              WHEN d.retired_at IS NOT NULL THEN v.name || ' names a retired data key' END"
    };
}

broken_rows! {
    /// Cards whose sealed values name a key that can't open them.
    cards, of "card",
    concat!("SELECT ", row_key!("card", "t", "id"), ", ", wrong_key!(), " FROM card t \
     CROSS JOIN LATERAL (VALUES ('pan_sealed', t.pan_sealed), ('holder_sealed', t.holder_sealed), ('billing_sealed', t.billing_sealed)) \
         AS v (name, sealed) \
     LEFT JOIN dek d ON d.id = sealed_key(v.sealed) WHERE length(v.sealed) > 0")
}

broken_rows! {
    /// The same of cards that came in with requests.
    request_cards, of "request_card",
    concat!("SELECT ", row_key!("request_card", "t", "request_id"), ", ", wrong_key!(), " FROM request_card t \
     CROSS JOIN LATERAL (VALUES ('pan_sealed', t.pan_sealed), ('holder_sealed', t.holder_sealed)) AS v (name, sealed) \
     LEFT JOIN dek d ON d.id = sealed_key(v.sealed) WHERE length(v.sealed) > 0")
}

broken_rows! {
    /// The same of provider accounts.
    provider_accounts, of "provider_account",
    concat!("SELECT ", row_key!("provider_account", "t", "id"), ", ", wrong_key!(), " FROM provider_account t \
     CROSS JOIN LATERAL (VALUES ('credentials_sealed', t.credentials_sealed), ('callback_keys_sealed', t.callback_keys_sealed)) \
         AS v (name, sealed) \
     LEFT JOIN dek d ON d.id = sealed_key(v.sealed) WHERE length(v.sealed) > 0")
}

broken_rows! {
    /// Keys that stand in the way of sealing, or are taken for drained and aren't.
    data_keys, of "dek",
    concat!("SELECT ", row_key!("dek", "d", "epoch"), ", concat_ws('; ', \
         CASE WHEN n.id IS NULL AND d.retired_at IS NOT NULL THEN 'the primary key is retired' END, \
         CASE WHEN n.id IS NULL AND d.compromised_at IS NOT NULL THEN 'the primary key is compromised' END, \
         CASE WHEN d.drained_at IS NOT NULL AND d.retired_at IS NULL AND u.key IS NOT NULL \
             THEN 'is noted as drained, and rows name it' END) \
     FROM dek d LEFT JOIN LATERAL (SELECT x.id FROM dek x WHERE x.partner_id = d.partner_id AND x.mode = d.mode AND x.epoch > d.epoch LIMIT 1) \
         n ON true \
     LEFT JOIN (SELECT sealed_key(pan_sealed) AS key FROM card UNION SELECT sealed_key(holder_sealed) FROM card \
         UNION SELECT sealed_key(billing_sealed) FROM card UNION SELECT sealed_key(pan_sealed) FROM request_card \
         UNION SELECT sealed_key(holder_sealed) FROM request_card UNION SELECT sealed_key(credentials_sealed) FROM provider_account \
         UNION SELECT sealed_key(callback_keys_sealed) FROM provider_account) u ON u.key = d.id")
}
