//! Terms of partners.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_terms_is_found() {
    let of = |what, sql| Case::of(what, "terms of partners", "partner_terms (version)", "version = 2", sql);
    let cases = [
        of("a version's document", "UPDATE partner_terms SET body = '{\"spread\": \"0\"}' WHERE version = {1}"),
        of("who set a version", "UPDATE partner_terms SET created_by = 'cli:eve' WHERE version = {1}"),
        of("a version's place", "DELETE FROM partner_terms WHERE version < {1}"),
        Case::of(
            "a version that is gone",
            "kept terms of partners",
            "partner_terms (version)",
            "version = 2",
            "DELETE FROM partner_terms WHERE version = {1}",
        ),
        Case::of(
            "a version that can't be read",
            "terms in force",
            "partner_terms (version)",
            "version = 2",
            "UPDATE partner_terms SET body = '{\"rebates\": []}' WHERE version = {1}",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
