-- Webhooks: where partners are told what happened, what they are to be told, and how telling went. A delivery is written by the statement that
-- writes its event, so that neither is there without the other; what is told is built, and kept, before it is first sent.

CREATE TABLE webhook_endpoint (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    -- 'url': one address. 'callback': the addresses that payout requests name themselves; one for each tenant.
    kind text NOT NULL CHECK (kind IN ('url', 'callback')),
    url text CHECK (length(url) BETWEEN 8 AND 2000),
    description text NOT NULL CHECK (length(description) <= 500),
    -- Types of messages, or 'payout.*' for all of an object; none: all.
    types text[] NOT NULL DEFAULT '{}',
    -- What messages are signed with, sealed in the vault for this row: the current secret, and those that still count.
    secrets_sealed bytea NOT NULL CHECK (length(secrets_sealed) BETWEEN 1 AND 8192),
    -- Since when no delivery has arrived; NULL: the last one did.
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_why text CHECK (disabled_why IN ('asked', 'gone', 'failing')),
    deleted_at timestamptz,
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode),
    CHECK ((kind = 'url') = (url IS NOT NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_why IS NULL))
);
CREATE INDEX webhook_endpoint_active ON webhook_endpoint (partner_id, mode) WHERE disabled_at IS NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX webhook_endpoint_callback ON webhook_endpoint (partner_id, mode) WHERE kind = 'callback';
CREATE INDEX webhook_endpoint_failing ON webhook_endpoint (failing_since) WHERE disabled_at IS NULL AND deleted_at IS NULL;
CREATE INDEX webhook_endpoint_list ON webhook_endpoint ((partner_id::text || mode), created_at, id);

CREATE FUNCTION webhook_endpoint_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.secrets_sealed IS DISTINCT FROM OLD.secrets_sealed THEN
        PERFORM use_sealed_key(sealed_key(NEW.secrets_sealed));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER webhook_endpoint_sealed BEFORE INSERT OR UPDATE OF secrets_sealed ON webhook_endpoint
    FOR EACH ROW EXECUTE FUNCTION webhook_endpoint_sealed();

-- What is told, byte for byte the same at each try and for each endpoint. Its id is its event's, where there is one.
CREATE TABLE webhook_message (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    type text NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    body text NOT NULL CHECK (length(body) BETWEEN 2 AND 262144),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, partner_id, mode)
);
CREATE INDEX webhook_message_age ON webhook_message (created_at);

CREATE TABLE webhook_delivery (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    endpoint_id uuid NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    -- Of which event it tells; NULL: of none.
    request_id uuid,
    sequence integer CHECK (sequence >= 1),
    -- Whom it must not hold up: the endpoint's id, and for addresses of requests their host too. Each lane has its own places.
    lane text COLLATE "C" NOT NULL CHECK (length(lane) BETWEEN 36 AND 400),
    -- Where it goes, if the endpoint doesn't say it.
    url text CHECK (length(url) BETWEEN 8 AND 2000),
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    -- When it is tried next. Claiming moves it to the end of the lease. NULL: it is over.
    due_at timestamptz,
    epoch integer NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    -- Tries of all times, and since it was last asked for.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    last_status smallint,
    last_error text CHECK (length(last_error) <= 300),
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (message_id, endpoint_id, partner_id, mode),
    CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    CHECK ((state = 'pending') = (finished_at IS NULL)),
    CHECK ((request_id IS NULL) = (sequence IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX webhook_delivery_due ON webhook_delivery (lane, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_list ON webhook_delivery (endpoint_id, created_at, message_id);
CREATE INDEX webhook_delivery_over ON webhook_delivery (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE webhook_attempt (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    endpoint_id uuid NOT NULL,
    message_id uuid NOT NULL,
    n integer NOT NULL CHECK (n >= 1),
    at timestamptz NOT NULL,
    took_ms integer NOT NULL CHECK (took_ms >= 0),
    -- What was answered; NULL: nothing.
    status smallint CHECK (status BETWEEN 100 AND 999),
    -- Why it doesn't count as told; NULL: it does.
    error text CHECK (length(error) BETWEEN 1 AND 300),
    PRIMARY KEY (message_id, endpoint_id, n, partner_id, mode)
);
