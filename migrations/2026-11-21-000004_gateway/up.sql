CREATE TABLE payout_point (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    name text NOT NULL,
    currencies text[] NOT NULL CHECK (cardinality(currencies) >= 1),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (code, partner_id, mode)
);

-- partner_id is the owner: the house's accounts serve every partner of their mode.
CREATE TABLE provider_account (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    provider text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    settings jsonb NOT NULL DEFAULT '{}',
    credentials_sealed bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (id),
    UNIQUE (code, partner_id, mode)
);

CREATE TABLE deposit_account (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    provider_account_id uuid NOT NULL,
    currency text NOT NULL,
    -- What is there: as the provider reports it, or, where it has no balance to ask for, by our own books.
    balance numeric NOT NULL DEFAULT 0,
    balance_source text NOT NULL CHECK (balance_source IN ('provider', 'books')),
    -- What open payouts may still take, their expected cost included. Available is balance - reserved.
    reserved numeric NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    synced_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (id),
    UNIQUE (code, partner_id, mode),
    FOREIGN KEY (partner_id, mode, provider_account_id) REFERENCES provider_account (partner_id, mode, id)
) WITH (fillfactor = 50);

CREATE TABLE payout_route (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    service text NOT NULL,
    deposit_account_id uuid NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    amount_min numeric CHECK (amount_min >= 0),
    amount_max numeric CHECK (amount_max >= amount_min),
    cost_percent numeric NOT NULL DEFAULT 0 CHECK (cost_percent >= 0),
    cost_fixed numeric NOT NULL DEFAULT 0 CHECK (cost_fixed >= 0),
    position integer NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (code, partner_id, mode),
    FOREIGN KEY (partner_id, mode, deposit_account_id) REFERENCES deposit_account (partner_id, mode, id)
);

CREATE TABLE payout_request (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    point_id uuid NOT NULL,
    -- Unique for good: posting the same reference again does nothing.
    reference_id text NOT NULL CHECK (length(reference_id) BETWEEN 1 AND 128),
    customer_id uuid,
    card_id bigint,
    offer_id bigint,
    funding text NOT NULL CHECK (funding IN ('wallet_hold', 'partner_balance', 'own_deposit')),
    service text NOT NULL,
    amount numeric NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    fields jsonb NOT NULL DEFAULT '{}',
    description text,
    status text NOT NULL CHECK (status IN (
        'created', 'waiting_details', 'ready', 'dispatching', 'pending', 'processed', 'partially_processed', 'failed',
        'expired', 'canceled', 'terminated', 'returned')),
    resolution text,
    amount_processed numeric NOT NULL DEFAULT 0 CHECK (amount_processed >= 0),
    amount_returned numeric NOT NULL DEFAULT 0 CHECK (amount_returned >= 0),
    attempts_limit smallint NOT NULL CHECK (attempts_limit BETWEEN 1 AND 100),
    attempts_made smallint NOT NULL DEFAULT 0 CHECK (attempts_made >= 0),
    allow_partially boolean NOT NULL,
    -- Set by a cancel or an expiry while something is open: nothing more is sent, and the end follows the truth.
    stop_requested text CHECK (stop_requested IN ('cancel', 'expiry')),
    moderation_reason text,
    expires_at timestamptz NOT NULL,
    -- The head of the request's chain of events.
    event_seq integer NOT NULL CHECK (event_seq >= 1),
    event_mac bytea NOT NULL CHECK (length(event_mac) = 32),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    final_at timestamptz,
    PRIMARY KEY (id, partner_id, mode),
    CONSTRAINT payout_request_reference_once UNIQUE (reference_id, partner_id, mode),
    CHECK ((final_at IS NOT NULL) = (status NOT IN ('created', 'waiting_details', 'ready', 'dispatching', 'pending')))
) WITH (fillfactor = 80);
CREATE INDEX payout_request_open_of_card ON payout_request (card_id) WHERE final_at IS NULL;

CREATE TABLE payout (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    request_id uuid NOT NULL,
    part smallint NOT NULL CHECK (part >= 0),
    attempt smallint NOT NULL CHECK (attempt >= 1),
    route_id uuid NOT NULL,
    deposit_account_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    provider text NOT NULL,
    status text NOT NULL CHECK (status IN (
        'created', 'invoking', 'pending', 'unknown', 'processed', 'failed', 'returned', 'canceled', 'late_processed')),
    -- Ours, committed before the first byte is sent, the same at every resend.
    provider_reference text NOT NULL CHECK (length(provider_reference) BETWEEN 1 AND 64),
    provider_original_id text,
    rrn text,
    arn text,
    amount numeric NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    -- Reserved on the deposit account until the payout is final: the amount and the expected cost.
    amount_reserved numeric NOT NULL CHECK (amount_reserved >= 0),
    amount_processed numeric NOT NULL DEFAULT 0 CHECK (amount_processed >= 0),
    amount_returned numeric NOT NULL DEFAULT 0 CHECK (amount_returned >= 0),
    cost numeric NOT NULL DEFAULT 0 CHECK (cost >= 0),
    resolution text,
    provider_code text,
    provider_message text,
    sends smallint NOT NULL DEFAULT 0 CHECK (sends >= 0),
    sent_at timestamptz,
    inquiries integer NOT NULL DEFAULT 0 CHECK (inquiries >= 0),
    not_found_count integer NOT NULL DEFAULT 0 CHECK (not_found_count >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    final_at timestamptz,
    PRIMARY KEY (id, partner_id, mode),
    CONSTRAINT payout_reference_once UNIQUE (provider_account_id, provider_reference),
    FOREIGN KEY (partner_id, mode, request_id) REFERENCES payout_request (partner_id, mode, id),
    CHECK ((final_at IS NOT NULL) = (status NOT IN ('created', 'invoking', 'pending', 'unknown')))
) WITH (fillfactor = 80);
CREATE INDEX payout_of_request ON payout (request_id, part, attempt);
-- Invariant 2: one open payout a part. Invariant 1: one success a part; late ones stand apart.
CREATE UNIQUE INDEX payout_one_open_a_part ON payout (request_id, part, partner_id, mode)
    WHERE status IN ('created', 'invoking', 'pending', 'unknown');
CREATE UNIQUE INDEX payout_one_success_a_part ON payout (request_id, part, partner_id, mode)
    WHERE status IN ('processed', 'returned');

-- What happened, in order; each event's MAC covers the one before it.
CREATE TABLE event (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    request_id uuid NOT NULL,
    seq integer NOT NULL CHECK (seq >= 1),
    id uuid NOT NULL,
    payout_id uuid,
    kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    data jsonb NOT NULL,
    mac bytea NOT NULL CHECK (length(mac) = 32),
    at timestamptz NOT NULL,
    PRIMARY KEY (request_id, seq, partner_id, mode)
);

-- Work that must happen, written by the transaction that causes it and deleted by the one that ends it.
CREATE TABLE job (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    kind text NOT NULL CHECK (kind IN ('dispatch', 'invoke', 'inquire', 'callback', 'destroy_card')),
    subject_id uuid NOT NULL,
    -- When it may be claimed next. Claiming moves it to the end of the lease.
    run_at timestamptz NOT NULL,
    -- Raised by each claim; who finishes must still hold the current one.
    epoch integer NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error text,
    -- A dead letter: no worker takes it any more, a person does.
    dead_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, kind, partner_id, mode)
) WITH (fillfactor = 50);
CREATE INDEX job_due ON job (kind, run_at) WHERE dead_at IS NULL;

CREATE TABLE provider_callback (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    -- SHA-256 of headers that matter and body: the same message again is the same row.
    digest bytea NOT NULL CHECK (length(digest) = 32),
    verified boolean NOT NULL,
    -- What the adapter read out of it; the raw body is kept only with card numbers struck out.
    reports jsonb NOT NULL,
    body_redacted text NOT NULL,
    received_at timestamptz NOT NULL,
    processed_at timestamptz,
    PRIMARY KEY (id, partner_id, mode),
    CONSTRAINT provider_callback_once UNIQUE (provider_account_id, digest)
);

-- What waits for a person: late successes, amounts that don't fit, payouts that nothing can be learnt about.
CREATE TABLE staff_case (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    request_id uuid NOT NULL,
    payout_id uuid,
    evidence jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (id, partner_id, mode),
    FOREIGN KEY (partner_id, mode, request_id) REFERENCES payout_request (partner_id, mode, id)
);
CREATE INDEX staff_case_open ON staff_case (opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX staff_case_of_request ON staff_case (request_id);
