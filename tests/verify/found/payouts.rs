//! Requests, payouts, jobs, cases and callbacks.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_requests_payouts_and_jobs_is_found() {
    let cases = [
        Case::of(
            "a request's status",
            "event chains",
            "payout_request (id)",
            "status = 'processed'",
            "UPDATE payout_request SET status = 'failed' WHERE id = '{1}'",
        ),
        Case::of(
            "a request's status, with its amounts",
            "request states",
            "payout_request (id)",
            "status = 'processed'",
            "UPDATE payout_request SET status = 'partially_processed' WHERE id = '{1}'",
        ),
        Case::of(
            "a request ended with an open payout",
            "request states",
            "payout_request (id)",
            "status = 'pending' AND moderation_reason IS NULL",
            "UPDATE payout_request SET status = 'canceled', final_at = now(), resolution = 'operation_expired' \
             WHERE id = '{1}'",
        ),
        Case::of(
            "what a request processed",
            "request sums",
            "payout_request (id)",
            "status = 'processed'",
            "UPDATE payout_request SET amount_processed = amount_processed + 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "what came back",
            "request sums",
            "payout_request (id)",
            "status = 'returned'",
            "UPDATE payout_request SET amount_returned = amount_returned - 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "a request's attempts",
            "request sums",
            "payout_request (id)",
            "status = 'failed'",
            "UPDATE payout_request SET attempts_made = attempts_made - 1 WHERE id = '{1}'",
        ),
        Case::of(
            "a part paid twice",
            "one success a part",
            "payout (id, request_id)",
            "status = 'processed'",
            "DROP INDEX payout_one_success_a_part; CREATE TEMP TABLE c AS SELECT * FROM payout WHERE id = '{1}'; \
             UPDATE c SET id = 'ffffffff-0000-4000-8000-000000000000', attempt = 9, provider_reference = \
             'another'; INSERT INTO payout SELECT * FROM c",
        )
        .names("payout_request {0}/{2}"),
        Case::of(
            "two open payouts",
            "one open payout a part",
            "payout (id, request_id)",
            "status = 'pending'",
            "DROP INDEX payout_one_open_a_part; CREATE TEMP TABLE c AS SELECT * FROM payout WHERE id = '{1}'; \
             UPDATE c SET id = 'ffffffff-0000-4000-8000-000000000000', attempt = 9, provider_reference = \
             'another'; INSERT INTO payout SELECT * FROM c",
        )
        .names("payout_request {0}/{2}"),
        Case::of(
            "an open payout of a paid part",
            "one open payout a part",
            "payout (id, request_id)",
            "status = 'processed'",
            "CREATE TEMP TABLE c AS SELECT * FROM payout WHERE id = '{1}'; UPDATE c SET id = \
             'ffffffff-0000-4000-8000-000000000000', attempt = 9, status = 'pending', final_at = NULL, \
             provider_reference = 'another'; INSERT INTO payout SELECT * FROM c",
        )
        .names("payout_request {0}/{2}"),
        Case::of(
            "a payout of nobody",
            "intent before the wire",
            "payout (id)",
            "status = 'failed'",
            "CREATE TEMP TABLE c AS SELECT * FROM payout WHERE id = '{1}'; UPDATE c SET id = \
             'ffffffff-0000-4000-8000-000000000000', attempt = 9, provider_reference = 'another'; INSERT INTO \
             payout SELECT * FROM c",
        )
        .names("payout {0}/ffffffff-0000-4000-8000-000000000000"),
        Case::of(
            "a payout is gone",
            "request sums",
            "payout (id, request_id)",
            "status = 'failed'",
            "DELETE FROM payout WHERE id = '{1}'",
        )
        .names("payout_request {0}/{2}"),
        Case::of(
            "a failed payout made paid",
            "payouts in the ledger",
            "payout (id)",
            "status = 'failed'",
            "UPDATE payout SET status = 'processed', amount_processed = amount, resolution = 'ok' WHERE id = '{1}'",
        ),
        Case::of(
            "what a payout paid",
            "payouts in the ledger",
            "payout (id)",
            "status = 'processed'",
            "UPDATE payout SET amount_processed = amount_processed - 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "what a payout cost",
            "payouts in the ledger",
            "payout (id)",
            "status = 'processed'",
            "UPDATE payout SET cost = cost + 0.01 WHERE id = '{1}'",
        ),
        Case::of(
            "a payout's currency",
            "tenants of payouts",
            "payout (id)",
            "status = 'processed'",
            "UPDATE payout SET currency = 'USD' WHERE id = '{1}'",
        ),
        Case::of(
            "a payout final without an end",
            "payout states",
            "payout (id)",
            "status = 'failed'",
            "UPDATE payout SET resolution = NULL WHERE id = '{1}'",
        ),
        Case::of(
            "a late success without a case",
            "payout states",
            "payout (id)",
            "status = 'late_processed'",
            "DELETE FROM staff_case WHERE payout_id = '{1}'",
        ),
        Case::of(
            "more paid than asked, without a case",
            "payout states",
            "payout (id)",
            "status = 'processed'",
            "UPDATE payout SET amount = amount - 1 WHERE id = '{1}'",
        ),
        Case::of(
            "the job of a payout that is pending",
            "open payouts go on",
            "payout (id)",
            "status = 'pending'",
            "DELETE FROM job WHERE subject_id = '{1}'",
        ),
        Case::of(
            "the job of a payout that is unknown",
            "open payouts go on",
            "payout (id)",
            "status = 'unknown'",
            "DELETE FROM job WHERE subject_id = '{1}'",
        ),
        Case::of(
            "a dead job of an open payout",
            "open payouts go on",
            "payout (id)",
            "status = 'pending'",
            "UPDATE job SET dead_at = now() WHERE subject_id = '{1}'",
        ),
        Case::of(
            "the job of a ready request",
            "requests go on",
            "payout_request (id)",
            "status = 'ready' AND auto_process",
            "DELETE FROM job WHERE subject_id = '{1}'",
        ),
        Case::of(
            "an open payout is gone, and its job",
            "requests go on",
            "payout (id, request_id)",
            "status = 'pending'",
            "DELETE FROM payout WHERE id = '{1}'; DELETE FROM job WHERE subject_id = '{1}'",
        )
        .names("payout_request {0}/{2}"),
        Case::of(
            "moderation without a case",
            "requests go on",
            "payout_request (id)",
            "moderation_reason IS NOT NULL AND final_at IS NULL",
            "UPDATE staff_case SET closed_at = now(), closing = 'told', closed_by = 'nobody' WHERE request_id = '{1}'",
        ),
        Case::of(
            "moderation for something else than its case says",
            "requests go on",
            "payout_request (id)",
            "moderation_reason = 'not_found_at_provider' AND final_at IS NULL",
            "UPDATE payout_request SET moderation_reason = 'late_success' WHERE id = '{1}'",
        ),
        Case::of(
            "a stop that is lifted while somebody is still asked",
            "questions are asked",
            "staff_case (id, request_id)",
            "kind = 'not_found_at_provider' AND closed_at IS NULL",
            "UPDATE payout_request SET moderation_reason = NULL WHERE id = '{2}'",
        )
        .names("staff_case {0}/{1}"),
        Case::of(
            "a decision that no event tells",
            "decisions are told",
            "staff_case (id)",
            "closed_at IS NULL",
            "UPDATE staff_case SET closed_at = now(), closing = 'reject', closed_by = 'staff:nobody' WHERE id = '{1}'",
        ),
        Case::of(
            "a job about nothing",
            "jobs have subjects",
            "job (kind, subject_id)",
            "true",
            "UPDATE job SET subject_id = '00000000-0000-4000-8000-000000000000' WHERE subject_id = '{2}'",
        )
        .names("job {0}/{1}/00000000-0000-4000-8000-000000000000"),
        Case::of(
            "a card to be destroyed that isn't there",
            "jobs have subjects",
            "card (id)",
            "true",
            "INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at) SELECT partner_id, mode, \
             'destroy_card', '00000000-0000-0000-0000-000000000007', now(), now() FROM card WHERE id = {1}",
        )
        .names("job {0}/destroy_card/00000000-0000-0000-0000-000000000007"),
        Case::of(
            "a callback that nothing applies",
            "callbacks go on",
            "provider_account (id)",
            "true",
            "INSERT INTO provider_callback SELECT partner_id, mode, 'ffffffff-0000-4000-8000-000000000000', id, \
             sha256('x'), true, '[]', '', now(), NULL FROM provider_account WHERE id = '{1}'",
        )
        .names("provider_callback {0}/ffffffff-0000-4000-8000-000000000000"),
        Case::of(
            "a payout never sent",
            "intent before the wire",
            "payout (id)",
            "status = 'processed'",
            "UPDATE payout SET sends = 0 WHERE id = '{1}'",
        ),
        Case::of(
            "a payout's reference",
            "references of payouts",
            "payout (id)",
            "status = 'pending'",
            "UPDATE payout SET provider_reference = 'q' || substr(provider_reference, 2) WHERE id = '{1}'",
        ),
        Case::picked(
            "a reference used twice",
            "references once",
            "SELECT a.id::text, b.provider_reference, a.provider_account_id::text FROM payout a JOIN payout b ON \
             a.provider_account_id = b.provider_account_id AND a.id < b.id LIMIT 1",
            "ALTER TABLE payout DROP CONSTRAINT payout_reference_once; UPDATE payout SET provider_reference = \
             '{1}' WHERE id = '{0}'",
            "provider_account {2}",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
