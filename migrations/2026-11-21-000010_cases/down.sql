DELETE FROM staff_case WHERE request_id IS NULL;
ALTER TABLE entry
    DROP CONSTRAINT entry_kind_check,
    ADD CONSTRAINT entry_kind_check CHECK (kind IN (
        'credit', 'debit', 'hold', 'release', 'settle', 'return', 'payout_cost', 'late_success', 'top_up'));
DROP INDEX staff_case_of_account;
ALTER TABLE staff_case
    DROP COLUMN provider_account_id,
    DROP COLUMN subject,
    DROP COLUMN closing,
    DROP COLUMN closed_by,
    DROP COLUMN closing_reason,
    DROP COLUMN closing_evidence,
    ALTER COLUMN request_id SET NOT NULL;
