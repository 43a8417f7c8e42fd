-- The tenant is part of every key: a row belongs to one partner and one mode, and no request reads across. It stands behind
-- the column that tells rows apart: with the tenant in front, any index can serve any lookup of the tenant by scanning all
-- its rows, and on a table without statistics the planner does take it.
-- No foreign key leads to a row that every payout touches (partner, route, house account): the share locks that
-- PostgreSQL takes for it would meet there. `landfall verify` checks those references instead.

CREATE TABLE customer (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    reference text NOT NULL CHECK (length(reference) BETWEEN 1 AND 255),
    kyc_level smallint NOT NULL DEFAULT 0 CHECK (kyc_level BETWEEN 0 AND 9),
    blocked_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    UNIQUE (reference, partner_id, mode)
);

-- Data-encryption keys, wrapped by a key-encryption key that never enters the database.
CREATE TABLE dek (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    epoch integer NOT NULL CHECK (epoch >= 1),
    kek_id text NOT NULL,
    wrapped bytea NOT NULL,
    key_check_value bytea NOT NULL,
    -- Messages that may have been encrypted under this key; counted ahead, in blocks.
    message_count bigint NOT NULL DEFAULT 0 CHECK (message_count >= 0),
    created_at timestamptz NOT NULL,
    -- The primary key of a tenant is the one with the highest epoch.
    UNIQUE (partner_id, mode, epoch)
);

CREATE TABLE card (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id bigint NOT NULL CHECK (id BETWEEN 1 AND 9007199254740991),
    customer_id uuid NOT NULL,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    fingerprint_key_id text NOT NULL,
    scheme text NOT NULL,
    iin text NOT NULL CHECK (iin ~ '^[0-9]{6}([0-9]{2})?$'),
    last_four text NOT NULL CHECK (last_four ~ '^[0-9]{4}$'),
    expiry_year smallint NOT NULL CHECK (expiry_year BETWEEN 2000 AND 2200),
    expiry_month smallint NOT NULL CHECK (expiry_month BETWEEN 1 AND 12),
    -- Envelopes of the vault; the number's is NULL once it is destroyed.
    pan_sealed bytea,
    holder_sealed bytea NOT NULL,
    billing_sealed bytea,
    billing_country text CHECK (billing_country ~ '^[A-Z]{2}$'),
    validation_status text NOT NULL CHECK (validation_status IN ('approved', 'pending', 'declined')),
    hidden_at timestamptz,
    destroyed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    -- A customer's same card is the same card, also after it was deleted and added again.
    UNIQUE (customer_id, fingerprint, partner_id, mode),
    FOREIGN KEY (partner_id, mode, customer_id) REFERENCES customer (partner_id, mode, id),
    CHECK ((pan_sealed IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK (destroyed_at IS NULL OR hidden_at IS NOT NULL)
);
-- For block lists and velocity, across customers.
CREATE INDEX card_by_fingerprint ON card (fingerprint, partner_id, mode);
