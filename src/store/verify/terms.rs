//! Terms of partners.

use super::{broken_rows, row_key};

broken_rows! {
    /// Versions that don't follow the one before, or aren't what the audit trail says was set.
    versions, of "partner_terms",
    concat!("SELECT ", row_key!("partner_terms", "t", "version"), ", concat_ws('; ', \
         CASE WHEN t.version <> row_number() OVER (PARTITION BY t.partner_id, t.mode ORDER BY t.version) \
             THEN 'it doesn''t follow the one before' END, \
         CASE WHEN a.after IS NULL THEN 'nobody set it' \
             WHEN a.after->'terms' IS DISTINCT FROM t.body THEN 'it is another than was set' \
             WHEN a.actor <> t.created_by THEN 'somebody else set it' END) \
     FROM partner_terms t LEFT JOIN audit a ON (a.partner_id, a.mode, a.action) = (t.partner_id, t.mode, 'partner_terms.set') \
         AND a.after->'version' = to_jsonb(t.version)")
}

broken_rows! {
    /// Versions that were set, and aren't there.
    kept, of "partner_terms",
    "SELECT 'partner_terms ' || a.partner_id::text || '/' || a.mode || '/' || (a.after->>'version'), 'it was set and isn''t there' \
     FROM audit a WHERE a.action = 'partner_terms.set' AND NOT EXISTS (SELECT 1 FROM partner_terms t \
         WHERE (t.partner_id, t.mode) = (a.partner_id, a.mode) AND to_jsonb(t.version) = a.after->'version')"
}
