CREATE TABLE offer (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id bigint NOT NULL CHECK (id BETWEEN 1 AND 9007199254740991),
    customer_id uuid NOT NULL,
    card_id bigint NOT NULL,
    status text NOT NULL CHECK (status IN (
        'quoted', 'accepted', 'paid', 'partly_paid', 'released', 'expired', 'returned')),
    version integer NOT NULL CHECK (version >= 1),
    currency_from text NOT NULL,
    currency_to text NOT NULL,
    fixed_side text NOT NULL CHECK (fixed_side IN ('source', 'target')),
    amount numeric NOT NULL CHECK (amount > 0),
    amount_to numeric NOT NULL CHECK (amount_to >= 0),
    price numeric NOT NULL CHECK (price > 0),
    spread numeric NOT NULL CHECK (spread >= 0 AND spread < 1),
    fees jsonb NOT NULL,
    fee_total numeric NOT NULL CHECK (fee_total >= 0),
    total numeric NOT NULL CHECK (total = amount + fee_total),
    -- amount_to in the currency that limits are counted in.
    amount_reference numeric NOT NULL CHECK (amount_reference >= 0),
    -- What one offer could pay when this one was priced, in currency_to.
    amount_to_min numeric NOT NULL CHECK (amount_to_min >= 0),
    amount_to_max numeric NOT NULL CHECK (amount_to_max >= 0),
    rate_sources jsonb NOT NULL,
    -- The prices of earlier versions, oldest first.
    history jsonb NOT NULL DEFAULT '[]',
    quoted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    -- Which sums the acceptance reserved, so that the unpaid share can be given back.
    limit_reservations jsonb,
    request_id uuid,
    amount_to_processed numeric NOT NULL DEFAULT 0 CHECK (amount_to_processed >= 0),
    amount_to_returned numeric NOT NULL DEFAULT 0 CHECK (amount_to_returned >= 0),
    resolution text,
    final_at timestamptz,
    PRIMARY KEY (id, partner_id, mode),
    FOREIGN KEY (partner_id, mode, customer_id) REFERENCES customer (partner_id, mode, id),
    FOREIGN KEY (partner_id, mode, card_id) REFERENCES card (partner_id, mode, id),
    CHECK ((accepted_at IS NOT NULL) = (status NOT IN ('quoted', 'expired'))),
    CHECK ((accepted_at IS NOT NULL) = (request_id IS NOT NULL)),
    CHECK (accepted_at IS NULL OR limit_reservations IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX offer_history ON offer (customer_id, accepted_at DESC, id DESC)
    WHERE accepted_at IS NOT NULL;
-- The second condition keeps the planner from serving other statements about quoted offers by it.
CREATE INDEX offer_to_expire ON offer (expires_at) WHERE status = 'quoted' AND accepted_at IS NULL;

-- A request is done once: the saved answer of a write, for 24 hours.
CREATE TABLE idempotency_key (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    principal text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    operation text NOT NULL,
    -- HMAC of the body: bodies can hold card numbers and are never stored.
    body_mac bytea NOT NULL CHECK (length(body_mac) = 32),
    lease_until timestamptz NOT NULL,
    response_status smallint,
    response_body text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (key, principal, partner_id, mode),
    CHECK ((response_status IS NULL) = (response_body IS NULL))
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
