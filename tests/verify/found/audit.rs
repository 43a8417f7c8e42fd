//! The audit trail.

use crate::tampering::{Case, Original};

const ROW: &str = "SELECT a.partner_id::text, a.seq::text FROM audit a JOIN partner p ON p.id = a.partner_id WHERE p.code = 'demo' AND a.seq = 2";

fn edited(what: &'static str, sql: &'static str) -> Case {
    Case::picked(what, "audit chains", ROW, sql, "audit {0}/{1}")
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_the_audit_trail_is_found() {
    let cases = [
        edited("an actor", "UPDATE audit SET actor = 'somebody' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("an origin", "UPDATE audit SET origin = '192.0.2.1' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("an action", "UPDATE audit SET action = 'api_key.create' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("an object", "UPDATE audit SET object = 'key_x' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("before", "UPDATE audit SET before = NULL WHERE partner_id = '{0}' AND seq = {1}"),
        edited(
            "after",
            r#"UPDATE audit SET after = after || '{"name": "other"}' WHERE partner_id = '{0}' AND seq = {1}"#,
        ),
        edited("a result", "UPDATE audit SET result = 'refused' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("a mode", "UPDATE audit SET mode = 'live' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("an id", "UPDATE audit SET id = gen_random_uuid() WHERE partner_id = '{0}' AND seq = {1}"),
        edited("a time", "UPDATE audit SET at = at + interval '1 microsecond' WHERE partner_id = '{0}' AND seq = {1}"),
        edited("a hash", "UPDATE audit SET hash = sha256('x') WHERE partner_id = '{0}' AND seq = {1}"),
        edited(
            "two rows swapped",
            "UPDATE audit SET seq = 99 WHERE partner_id = '{0}' AND seq = {1}; \
             UPDATE audit SET seq = {1} WHERE partner_id = '{0}' AND seq = {1} + 1; \
             UPDATE audit SET seq = {1} + 1 WHERE partner_id = '{0}' AND seq = 99",
        ),
        Case::picked(
            "a row in the middle is gone",
            "audit chains",
            ROW,
            "DELETE FROM audit WHERE partner_id = '{0}' AND seq = 1",
            "audit {0}/{1}",
        ),
        Case::picked(
            "the last row is gone",
            "audit chains",
            ROW,
            "DELETE FROM audit WHERE partner_id = '{0}' AND seq = (SELECT max(seq) FROM audit WHERE partner_id = '{0}')",
            "audit_head {0}",
        ),
        Case::picked(
            "a head",
            "audit chains",
            ROW,
            "UPDATE audit_head SET hash = sha256('x') WHERE partner_id = '{0}'",
            "audit_head {0}",
        ),
        Case::picked(
            "a head is gone",
            "audit chains",
            ROW,
            "DELETE FROM audit_head WHERE partner_id = '{0}'",
            "audit_head {0}",
        ),
        Case::picked(
            "all rows are gone",
            "audit heads have rows",
            ROW,
            "DELETE FROM audit WHERE partner_id = '{0}'",
            "audit_head {0}",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}

/// Whoever writes the database gives themselves a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_made_is_found() {
    let key = "SELECT k.partner_id::text, k.mode, k.id::text, gen_random_uuid()::text FROM api_key k ORDER BY k.revoked_at NULLS LAST LIMIT 1";
    let edited = |what, sql, row| Case::picked(what, "made keys", key, sql, row);
    let cases = [
        edited("another key", "UPDATE api_key SET id = '{3}' WHERE id = '{2}'", "api_key {0}/{1}/{3}"),
        edited(
            "more scopes",
            "UPDATE api_key SET scopes = scopes || ARRAY['admin:write'] WHERE id = '{2}'",
            "api_key {0}/{1}/{2}",
        ),
        edited("a revoked one", "UPDATE api_key SET revoked_at = NULL WHERE id = '{2}'", "api_key {0}/{1}/{2}"),
    ];
    Original::new().await.each_is_found(&cases).await;
}
