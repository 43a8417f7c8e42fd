-- What was on deposit accounts, every quarter of an hour: for charts, and for whoever looks when an account ran dry. Kept for
-- gateway.retention.balance_days. No money is decided by it.
CREATE TABLE balance_sample (
    deposit_account_id uuid NOT NULL,
    -- The beginning of the quarter in which it was read.
    at timestamptz NOT NULL,
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    balance numeric NOT NULL,
    reserved numeric NOT NULL,
    PRIMARY KEY (deposit_account_id, at)
);
-- The dashboard's list of all accounts' samples, newest first; as its other lists' indexes (migration 000009) it begins with an expression.
CREATE INDEX balance_sample_newest ON balance_sample ((mode || ''), at DESC, deposit_account_id DESC);

-- When whoever a session is proved last who they are, by a password or a code: what marks payouts by hand asks for it anew. NULL: at the
-- session's beginning.
ALTER TABLE staff_session ADD COLUMN proved_at timestamptz;

-- In which zone times are told beside UTC, by its name (Europe/Berlin). NULL: in none.
ALTER TABLE staff ADD COLUMN zone text CHECK (length(zone) BETWEEN 1 AND 64);
