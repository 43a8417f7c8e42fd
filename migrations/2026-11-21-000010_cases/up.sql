-- A case can be about a provider's payment that no request of ours stands for, and its end is told: how, by whom, why.
ALTER TABLE staff_case
    ALTER COLUMN request_id DROP NOT NULL,
    ADD COLUMN provider_account_id uuid,
    -- What else it is about where that isn't a payout: a reference in a provider's report.
    ADD COLUMN subject text CHECK (length(subject) BETWEEN 1 AND 200),
    -- How it was closed: by which rule, or by which decision of a person.
    ADD COLUMN closing text CHECK (length(closing) BETWEEN 1 AND 64),
    ADD COLUMN closed_by text CHECK (length(closed_by) BETWEEN 1 AND 200),
    ADD COLUMN closing_reason text CHECK (length(closing_reason) <= 1000),
    ADD COLUMN closing_evidence jsonb;
UPDATE staff_case SET closing = 'unknown', closed_by = 'unknown' WHERE closed_at IS NOT NULL;
ALTER TABLE staff_case
    ADD CHECK (request_id IS NOT NULL OR provider_account_id IS NOT NULL),
    ADD CHECK ((closed_at IS NULL) = (closing IS NULL)),
    ADD CHECK ((closed_at IS NULL) = (closed_by IS NULL));
CREATE INDEX staff_case_of_account ON staff_case (provider_account_id, subject) WHERE provider_account_id IS NOT NULL;

ALTER TABLE entry
    DROP CONSTRAINT entry_kind_check,
    -- unmatched: a provider's payment that no payout of ours stands for. recovery: fiat of a case that came back.
    -- write_off: what a case leaves that nobody will pay. correction: what a provider corrected of a payout.
    ADD CONSTRAINT entry_kind_check CHECK (kind IN (
        'credit', 'debit', 'hold', 'release', 'settle', 'return', 'payout_cost', 'late_success', 'top_up',
        'unmatched', 'recovery', 'write_off', 'correction'));
