DELETE FROM job WHERE kind = 'reconcile';
ALTER TABLE job
    DROP CONSTRAINT job_kind_check,
    ADD CONSTRAINT job_kind_check CHECK (kind IN (
        'dispatch', 'invoke', 'inquire', 'callback', 'destroy_card', 'sync_balance', 'check_account'));
DROP INDEX payout_by_time;
DROP TABLE unmatched_payment;
DROP TABLE reconciliation;
