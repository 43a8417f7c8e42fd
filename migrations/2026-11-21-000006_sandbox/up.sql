-- The sandbox provider's own book of what it took: a second, independent account of test payouts. Landfall's own
-- decisions never read it; only the sandbox provider does.
CREATE TABLE test_payment (
    account_id uuid NOT NULL,
    reference text NOT NULL,
    original_id text NOT NULL,
    rrn text NOT NULL,
    amount numeric NOT NULL,
    currency text NOT NULL,
    behaviour text NOT NULL,
    resolution text NOT NULL,
    amount_processed numeric NOT NULL,
    taken_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    returned_at timestamptz,
    PRIMARY KEY (account_id, reference)
);
