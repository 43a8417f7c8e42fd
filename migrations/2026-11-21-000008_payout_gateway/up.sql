-- The payout gateway as partners use it: its own entities, keys, funding, routing's counters, splitting, batches.
--
-- Lists of one partner begin with the expression (partner_id::text || mode): a look-up that names partner and mode as columns can't
-- be served by such an index, so that the planner never scans a tenant for one row.

-- Who may call: the secret is shown once and kept as a hash.
CREATE TABLE api_key (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- The beginning of the key, to tell keys apart by; too short to help anybody guess.
    prefix text NOT NULL CHECK (length(prefix) BETWEEN 8 AND 24),
    -- SHA-256 of 256 random bits: nothing to be guessed, so nothing to be stretched.
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) >= 1),
    -- Addresses or networks that may use it; empty: any.
    allowed_ips text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    revoked_at timestamptz,
    -- Written now and then, not at each use.
    last_used_at timestamptz,
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    CONSTRAINT api_key_secret_once UNIQUE (secret_hash)
);
CREATE INDEX api_key_of_partner ON api_key ((partner_id::text || mode), created_at, id);

-- Every change of configuration: who, what, when, from where, before and after. Each row's hash covers the one before it.
CREATE TABLE audit (
    partner_id uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 1),
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    origin text CHECK (length(origin) <= 200),
    action text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    object text NOT NULL CHECK (length(object) BETWEEN 1 AND 200),
    before jsonb,
    after jsonb,
    result text NOT NULL CHECK (length(result) BETWEEN 1 AND 100),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    at timestamptz NOT NULL,
    PRIMARY KEY (partner_id, seq)
);
CREATE TABLE audit_head (
    partner_id uuid PRIMARY KEY,
    seq bigint NOT NULL CHECK (seq >= 0),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

ALTER TABLE customer
    ADD COLUMN email text CHECK (length(email) BETWEEN 3 AND 254),
    ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 200),
    ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$'),
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
    -- Requests that ended paid, and that ended without a payment.
    ADD COLUMN paid_count integer NOT NULL DEFAULT 0 CHECK (paid_count >= 0),
    ADD COLUMN failed_count integer NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    ADD COLUMN updated_at timestamptz;
CREATE INDEX customer_by_email ON customer (email, partner_id, mode) WHERE email IS NOT NULL;
CREATE INDEX customer_of_partner ON customer ((partner_id::text || mode), created_at, id);

-- What can be asked for: a method in a currency, with the fields that it needs. The house's services serve every partner of their mode.
CREATE TABLE payout_service (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    code text NOT NULL CHECK (code ~ '^[a-z0-9]+_[a-z0-9]{2,12}$'),
    method text NOT NULL,
    currency text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    amount_min numeric CHECK (amount_min >= 0),
    amount_max numeric CHECK (amount_max >= amount_min),
    -- [{key, type, label{}, hint{}, regexp, required, position}]
    fields jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (code, partner_id, mode)
);

-- Routing schemes. A version is never changed; the scheme points to the one in force.
CREATE TABLE payout_scheme (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version integer NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (code, partner_id, mode)
);
CREATE TABLE payout_scheme_version (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    scheme_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL,
    comment text CHECK (length(comment) <= 500),
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scheme_id, version, partner_id, mode),
    FOREIGN KEY (partner_id, mode, scheme_id) REFERENCES payout_scheme (partner_id, mode, id)
);

CREATE TABLE exchange_scheme (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    code text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version integer NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (code, partner_id, mode)
);
CREATE TABLE exchange_scheme_version (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    scheme_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL,
    comment text CHECK (length(comment) <= 500),
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scheme_id, version, partner_id, mode),
    FOREIGN KEY (partner_id, mode, scheme_id) REFERENCES exchange_scheme (partner_id, mode, id)
);

ALTER TABLE payout_point
    ADD COLUMN description text CHECK (length(description) <= 500),
    ADD COLUMN enabled boolean NOT NULL DEFAULT true,
    -- Who pays for what partners submit to it themselves; a wallet's offers bring their own hold.
    ADD COLUMN funding text NOT NULL DEFAULT 'partner_balance' CHECK (funding IN ('partner_balance', 'own_deposit')),
    -- NULL: the house's scheme 'default', and without it the routes in their given order.
    ADD COLUMN payout_scheme_id uuid,
    ADD COLUMN exchange_scheme_id uuid,
    ADD COLUMN callback_url text CHECK (length(callback_url) <= 2000),
    -- Defaults of a request's options.
    ADD COLUMN options jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    ADD COLUMN updated_at timestamptz;

ALTER TABLE provider_account
    ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 200),
    -- Which credentials are sealed in credentials_sealed: all that anybody is told of them.
    ADD COLUMN credential_names text[] NOT NULL DEFAULT '{}',
    -- {"EUR": "100000"}: the most that may be paid out a day (UTC), by deposit currency.
    ADD COLUMN turnover_limits jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN health text NOT NULL DEFAULT 'unknown' CHECK (health IN ('unknown', 'healthy', 'unhealthy')),
    ADD COLUMN health_detail text CHECK (length(health_detail) <= 500),
    ADD COLUMN health_checked_at timestamptz,
    ADD COLUMN breaker_state text NOT NULL DEFAULT 'closed' CHECK (breaker_state IN ('closed', 'open', 'half_open')),
    ADD COLUMN breaker_since timestamptz,
    ADD COLUMN breaker_until timestamptz,
    ADD COLUMN breaker_openings integer NOT NULL DEFAULT 0 CHECK (breaker_openings >= 0),
    ADD COLUMN breaker_probes integer NOT NULL DEFAULT 0 CHECK (breaker_probes >= 0),
    ADD COLUMN breaker_probes_ok integer NOT NULL DEFAULT 0 CHECK (breaker_probes_ok >= 0),
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    ADD COLUMN updated_at timestamptz;

ALTER TABLE deposit_account
    ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 200),
    ADD COLUMN enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN sync_error text CHECK (length(sync_error) <= 500),
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    ADD COLUMN updated_at timestamptz;

ALTER TABLE payout_route
    ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 200),
    ADD COLUMN cost_min numeric CHECK (cost_min >= 0),
    ADD COLUMN cost_max numeric CHECK (cost_max >= 0),
    ADD COLUMN weight integer NOT NULL DEFAULT 1 CHECK (weight >= 0),
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    ADD COLUMN updated_at timestamptz;

CREATE INDEX payout_point_of_partner ON payout_point ((partner_id::text || mode), created_at, id);
CREATE INDEX provider_account_of_partner ON provider_account ((partner_id::text || mode), created_at, id);
CREATE INDEX deposit_account_of_partner ON deposit_account ((partner_id::text || mode), created_at, id);
CREATE INDEX payout_route_of_partner ON payout_route ((partner_id::text || mode), created_at, id);

ALTER TABLE payout_request
    -- What the caller asked for and is charged in; amount and currency are the service's.
    ADD COLUMN point_amount numeric CHECK (point_amount > 0),
    ADD COLUMN point_currency text,
    -- On top of point_amount, in point_currency.
    ADD COLUMN fee numeric NOT NULL DEFAULT 0 CHECK (fee >= 0),
    -- The rule and the rate that turned one into the other; NULL: one currency, or an offer's own rate.
    ADD COLUMN exchange jsonb,
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN callback_url text CHECK (length(callback_url) <= 2000),
    ADD COLUMN attempts_per_route_limit smallint NOT NULL DEFAULT 1 CHECK (attempts_per_route_limit BETWEEN 1 AND 100),
    ADD COLUMN auto_process boolean NOT NULL DEFAULT true,
    ADD COLUMN split_mode text NOT NULL DEFAULT 'never' CHECK (split_mode IN ('never', 'auto', 'always')),
    ADD COLUMN parallel_mode boolean NOT NULL DEFAULT false,
    -- A single payout on a named route: no routing, no failover.
    ADD COLUMN single_route_id uuid,
    ADD COLUMN batch_id uuid,
    ADD COLUMN batch_row integer CHECK (batch_row >= 1),
    -- HMAC of what was asked: the same reference with another body is refused.
    ADD COLUMN body_mac bytea CHECK (length(body_mac) = 32);
UPDATE payout_request SET point_amount = amount, point_currency = currency;
ALTER TABLE payout_request
    ALTER COLUMN point_amount SET NOT NULL,
    ALTER COLUMN point_currency SET NOT NULL,
    DROP CONSTRAINT payout_request_stop_requested_check,
    -- 'failure': a part can't be paid and nothing more is to be sent; the resolution says why.
    ADD CONSTRAINT payout_request_stop_requested_check CHECK (stop_requested IN ('cancel', 'expiry', 'failure'));
CREATE INDEX payout_request_of_partner ON payout_request ((partner_id::text || mode), created_at DESC, id DESC);
CREATE INDEX payout_request_of_batch ON payout_request (batch_id, batch_row) WHERE batch_id IS NOT NULL;
CREATE INDEX payout_request_to_expire ON payout_request (expires_at) WHERE final_at IS NULL;

-- A card number that came in with a request, in the vault's envelopes, until the request is over.
CREATE TABLE request_card (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    request_id uuid NOT NULL,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    fingerprint_key_id text NOT NULL,
    scheme text NOT NULL,
    iin text NOT NULL CHECK (iin ~ '^[0-9]{6}([0-9]{2})?$'),
    last_four text NOT NULL CHECK (last_four ~ '^[0-9]{4}$'),
    expiry_year smallint NOT NULL CHECK (expiry_year BETWEEN 2000 AND 2200),
    expiry_month smallint NOT NULL CHECK (expiry_month BETWEEN 1 AND 12),
    pan_sealed bytea,
    holder_sealed bytea NOT NULL,
    destroyed_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (request_id, partner_id, mode),
    CHECK ((pan_sealed IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE INDEX request_card_by_fingerprint ON request_card (fingerprint, partner_id, mode);
CREATE INDEX request_card_kept ON request_card (created_at) WHERE destroyed_at IS NULL;

ALTER TABLE payout
    -- The part that this one is a piece of, planned anew.
    ADD COLUMN parent_part smallint CHECK (parent_part >= 0),
    -- What the deposit account holds, and how much of it one unit of the payout's currency takes.
    ADD COLUMN deposit_currency text,
    ADD COLUMN deposit_rate numeric NOT NULL DEFAULT 1 CHECK (deposit_rate > 0),
    -- What really left the deposit account, its cost apart, in deposit_currency.
    ADD COLUMN deposit_debited numeric NOT NULL DEFAULT 0 CHECK (deposit_debited >= 0),
    -- What the request had processed before this payout paid: where its settlement's step begins.
    ADD COLUMN settled_from numeric CHECK (settled_from >= 0),
    -- Which of routing's counters it was counted in.
    ADD COLUMN usage_pool uuid,
    ADD COLUMN usage_window timestamptz,
    -- Sent while the breaker was half open: its fate decides the breaker's.
    ADD COLUMN is_probe boolean NOT NULL DEFAULT false,
    -- What it left unpaid is not tried again.
    ADD COLUMN given_up boolean NOT NULL DEFAULT false;
UPDATE payout SET deposit_currency = currency, deposit_debited = amount_processed;
UPDATE payout p SET settled_from = COALESCE((
        SELECT sum(q.amount_processed) FROM payout q
        WHERE (q.request_id, q.partner_id, q.mode) = (p.request_id, p.partner_id, p.mode) AND q.part < p.part
            AND q.status IN ('processed', 'returned')), 0)
    WHERE p.status IN ('processed', 'returned');
ALTER TABLE payout ALTER COLUMN deposit_currency SET NOT NULL;
-- What a balance sync may release: final, and still reserved.
CREATE INDEX payout_reserved_after_end ON payout (deposit_account_id, final_at)
    WHERE final_at IS NOT NULL AND amount_reserved > 0;
CREATE INDEX payout_of_partner ON payout ((partner_id::text || mode), created_at DESC, id DESC);
-- A partner's statement: what moved its own balances, no customer's.
CREATE INDEX entry_of_partner ON entry ((partner_id::text || mode), created_at DESC, id DESC)
    WHERE customer_id IS NULL AND kind IN ('credit', 'debit', 'hold', 'release', 'settle', 'return');
CREATE INDEX event_of_partner ON event ((partner_id::text || mode), at, id);

-- What routing counts, kept up with each payout and never gathered from history.
-- Debited by route in a strategy's window; given back when the payout fails.
CREATE TABLE route_usage (
    pool_id uuid NOT NULL,
    window_start timestamptz NOT NULL,
    route_id uuid NOT NULL,
    -- In the service's currency; lifted for a route that came back.
    debited numeric NOT NULL,
    PRIMARY KEY (pool_id, window_start, route_id)
) WITH (fillfactor = 50);
-- The level of the route that was chosen last.
CREATE TABLE route_pool (
    pool_id uuid NOT NULL,
    window_start timestamptz NOT NULL,
    floor numeric NOT NULL,
    PRIMARY KEY (pool_id, window_start)
) WITH (fillfactor = 50);
-- How payouts ended, by hour: failures of the card don't count.
CREATE TABLE route_outcome (
    route_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    succeeded bigint NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    PRIMARY KEY (route_id, hour)
) WITH (fillfactor = 50);
-- The breaker's window, by ten seconds.
CREATE TABLE provider_account_outcome (
    provider_account_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    ok bigint NOT NULL DEFAULT 0 CHECK (ok >= 0),
    errors bigint NOT NULL DEFAULT 0 CHECK (errors >= 0),
    unknowns bigint NOT NULL DEFAULT 0 CHECK (unknowns >= 0),
    PRIMARY KEY (provider_account_id, bucket)
) WITH (fillfactor = 50);
-- What was asked of a provider account on a day (UTC), in a deposit currency; a failure gives its share back.
CREATE TABLE provider_turnover (
    provider_account_id uuid NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (provider_account_id, day, currency)
) WITH (fillfactor = 50);

CREATE TABLE batch (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    point_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status text NOT NULL CHECK (status IN ('ready', 'processing', 'processed', 'terminated')),
    row_count integer NOT NULL CHECK (row_count >= 0),
    -- Of the file as it came: the same file twice is told.
    digest bytea NOT NULL CHECK (length(digest) = 32),
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode)
);
CREATE INDEX batch_of_partner ON batch ((partner_id::text || mode), created_at DESC, id DESC);
-- Lines that were skipped, and why. Never the line itself: it can hold a card number.
CREATE TABLE batch_problem (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    batch_id uuid NOT NULL,
    line integer NOT NULL CHECK (line >= 1),
    number smallint NOT NULL CHECK (number >= 0),
    field text,
    code text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (batch_id, line, number, partner_id, mode)
);

ALTER TABLE job
    DROP CONSTRAINT job_kind_check,
    ADD CONSTRAINT job_kind_check CHECK (kind IN (
        'dispatch', 'invoke', 'inquire', 'callback', 'destroy_card', 'sync_balance', 'check_account'));
