-- An account's id is derived from its name (UUIDv5), so that nobody has to look it up.
CREATE TABLE account (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    owner_kind text NOT NULL CHECK (owner_kind IN ('house', 'partner', 'customer', 'deposit_account')),
    owner_id uuid,
    kind text NOT NULL CHECK (kind IN (
        'user_available', 'user_held', 'partner_available', 'partner_held', 'partner_payable', 'house_inventory',
        'fee_income', 'spread_income', 'rounding', 'provider_funding', 'payout_cost', 'recoverable', 'suspense',
        'external')),
    asset text NOT NULL,
    -- Balances of users and partners are kept here by the posting transaction. All others are this plus account_delta.
    balance numeric NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    CHECK ((owner_id IS NOT NULL) = (owner_kind IN ('customer', 'deposit_account'))),
    CONSTRAINT balance_not_below_zero CHECK (
        balance >= 0 OR kind NOT IN ('user_available', 'user_held', 'partner_available', 'partner_held'))
) WITH (fillfactor = 80);
CREATE INDEX account_by_owner ON account (owner_id) WHERE owner_id IS NOT NULL;

CREATE TABLE entry (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'credit', 'debit', 'hold', 'release', 'settle', 'return', 'payout_cost', 'late_success', 'top_up')),
    reference text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    customer_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    -- The same reference is booked once.
    CONSTRAINT entry_booked_once UNIQUE (reference, kind, partner_id, mode)
);
CREATE INDEX entry_of_customer ON entry (customer_id, created_at) WHERE customer_id IS NOT NULL;

-- Never changed once written; a correction is a new entry.
CREATE TABLE posting (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    entry_id uuid NOT NULL,
    line smallint NOT NULL CHECK (line >= 0),
    account_id uuid NOT NULL,
    asset text NOT NULL,
    amount numeric NOT NULL CHECK (amount <> 0),
    -- No foreign key: an entry and its postings are written by one function in one transaction, and a check a posting
    -- would be the costliest thing about a payout. `landfall verify` finds a posting without its entry.
    PRIMARY KEY (entry_id, line, partner_id, mode)
);

-- What batches of postings add to accounts that every payout touches. Folded into account.balance from time to time;
-- an account's balance is its row plus its deltas.
CREATE TABLE account_delta (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (account_id, id, partner_id, mode)
);

-- Rolling sums of accepted offers, in the reference currency, one row a subject (a partner's is spread over stripes).
CREATE TABLE limit_usage (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    subject_kind text NOT NULL CHECK (subject_kind IN ('customer', 'card', 'partner')),
    subject_id text NOT NULL,
    stripe smallint NOT NULL DEFAULT 0 CHECK (stripe >= 0),
    usage jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, subject_kind, partner_id, mode, stripe)
) WITH (fillfactor = 70);
