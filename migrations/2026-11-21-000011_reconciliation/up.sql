-- A comparison of our payouts with what a provider reports of one account and range.
CREATE TABLE reconciliation (
    -- The provider account's owner.
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('api', 'file')),
    range_from timestamptz NOT NULL,
    range_until timestamptz NOT NULL,
    started_by text NOT NULL CHECK (length(started_by) BETWEEN 1 AND 200),
    started_at timestamptz NOT NULL,
    -- Until when nobody else may run. A run that died ends with it.
    lease_until timestamptz NOT NULL,
    finished_at timestamptz,
    -- Payments that the report has, and what came of each of theirs and ours.
    rows_read integer NOT NULL DEFAULT 0 CHECK (rows_read >= 0),
    agreed integer NOT NULL DEFAULT 0 CHECK (agreed >= 0),
    applied integer NOT NULL DEFAULT 0 CHECK (applied >= 0),
    left_for_later integer NOT NULL DEFAULT 0 CHECK (left_for_later >= 0),
    only_ours integer NOT NULL DEFAULT 0 CHECK (only_ours >= 0),
    only_theirs integer NOT NULL DEFAULT 0 CHECK (only_theirs >= 0),
    differing integer NOT NULL DEFAULT 0 CHECK (differing >= 0),
    -- Why it broke off; what it had written by then stays.
    error text CHECK (length(error) <= 500),
    PRIMARY KEY (id, partner_id, mode),
    CHECK (range_from < range_until)
);
-- One run at a time.
CREATE UNIQUE INDEX reconciliation_one_run ON reconciliation (provider_account_id) WHERE finished_at IS NULL;
CREATE INDEX reconciliation_latest ON reconciliation (provider_account_id, started_at DESC);

-- Fiat that left a provider account and that no payout of ours stands for: by our reference, or what stands in its place.
CREATE TABLE unmatched_payment (
    -- In whose ledger it is booked.
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    reference text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    deposit_account_id uuid NOT NULL,
    asset text NOT NULL,
    -- What is booked of it: 'unmatched' entries less what came back by the provider's own word.
    booked numeric NOT NULL CHECK (booked >= 0),
    -- What of that persons have closed.
    closed numeric NOT NULL DEFAULT 0 CHECK (closed >= 0),
    -- How many entries were booked for it: the next one's number.
    entries integer NOT NULL CHECK (entries >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    CONSTRAINT unmatched_payment_once UNIQUE (provider_account_id, reference),
    CHECK (closed <= booked)
);

-- What a range is compared by. Rows are written in the order of their time, so this costs next to nothing at each payout.
CREATE INDEX payout_by_time ON payout USING brin (created_at);

ALTER TABLE job
    DROP CONSTRAINT job_kind_check,
    ADD CONSTRAINT job_kind_check CHECK (kind IN (
        'dispatch', 'invoke', 'inquire', 'callback', 'destroy_card', 'sync_balance', 'check_account', 'reconcile'));
