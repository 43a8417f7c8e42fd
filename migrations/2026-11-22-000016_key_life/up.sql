-- The life of data keys. A key that isn't its tenant's primary any more is drained (nothing is sealed under it), and then retired: the wrapped
-- key is destroyed, and the row is kept.
ALTER TABLE dek
    -- Since when no row has been sealed under it; a late write takes it back.
    ADD COLUMN drained_at timestamptz,
    -- From then on nothing is sealed under it.
    ADD COLUMN compromised_at timestamptz,
    ADD COLUMN retired_at timestamptz,
    ADD CONSTRAINT dek_retired_check CHECK ((retired_at IS NOT NULL) = (length(wrapped) = 0));

-- How far the pass over everything sealed has come, for whichever process goes on with it.
CREATE TABLE reseal_pass (
    id smallint PRIMARY KEY CHECK (id = 1),
    pass bigint NOT NULL CHECK (pass >= 0),
    started_at timestamptz,
    -- NULL while a pass is under way.
    finished_at timestamptz,
    -- The last row that was handed out.
    table_name text NOT NULL,
    after_id text,
    after_partner_id uuid,
    after_mode text CHECK (after_mode IN ('test', 'live')),
    -- Nothing more is handed out before.
    next_at timestamptz NOT NULL,
    -- Of this pass: values under old keys at its beginning, rows sealed anew, rows that don't open.
    due bigint NOT NULL DEFAULT 0 CHECK (due >= 0),
    resealed bigint NOT NULL DEFAULT 0 CHECK (resealed >= 0),
    failed bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    -- Of the pass before.
    failed_before bigint NOT NULL DEFAULT 0 CHECK (failed_before >= 0),
    -- Of all passes.
    resealed_total bigint NOT NULL DEFAULT 0 CHECK (resealed_total >= 0)
);
INSERT INTO reseal_pass (id, pass, finished_at, table_name, next_at) VALUES (1, 0, now(), 'card', now());

-- The data key that a sealed value names. The format is the vault's (src/vault/envelope.rs).
CREATE FUNCTION sealed_key(sealed bytea) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(sealed) >= 17 THEN encode(substring(sealed FROM 2 FOR 16), 'hex')::uuid END
$$;

-- What is sealed under a key holds this lock until it is committed, shared with others. Whoever retires the key has it alone: it sees all
-- that was sealed, and whoever comes later sees that the key is gone. A process learns here what its ring doesn't know yet.
CREATE FUNCTION sealed_key_lock(key_id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended(key_id::text, 16)
$$;

CREATE FUNCTION use_sealed_key(key_id uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    key record;
BEGIN
    IF key_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(sealed_key_lock(key_id));
    -- A statement of its own: it sees what was committed while the lock was waited for.
    SELECT d.retired_at, d.compromised_at, d.drained_at INTO key FROM dek d WHERE d.id = key_id;
    IF key.retired_at IS NOT NULL OR key.compromised_at IS NOT NULL THEN
        RAISE EXCEPTION 'data key % seals nothing any more', key_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_under_a_key_in_use';
    END IF;
    IF key.drained_at IS NOT NULL THEN
        UPDATE dek SET drained_at = NULL WHERE id = key_id;
    END IF;
END
$$;

-- For each table with sealed columns. Values that stay as they are aren't sealed anew.
CREATE FUNCTION card_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pan uuid;
    holder uuid;
    billing uuid;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.pan_sealed IS DISTINCT FROM OLD.pan_sealed THEN pan := sealed_key(NEW.pan_sealed); END IF;
    IF TG_OP = 'INSERT' OR NEW.holder_sealed IS DISTINCT FROM OLD.holder_sealed THEN holder := sealed_key(NEW.holder_sealed); END IF;
    IF TG_OP = 'INSERT' OR NEW.billing_sealed IS DISTINCT FROM OLD.billing_sealed THEN billing := sealed_key(NEW.billing_sealed); END IF;
    PERFORM use_sealed_key(pan);
    IF holder IS DISTINCT FROM pan THEN PERFORM use_sealed_key(holder); END IF;
    IF billing IS DISTINCT FROM pan AND billing IS DISTINCT FROM holder THEN PERFORM use_sealed_key(billing); END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER card_sealed BEFORE INSERT OR UPDATE OF pan_sealed, holder_sealed, billing_sealed ON card
    FOR EACH ROW EXECUTE FUNCTION card_sealed();

CREATE FUNCTION request_card_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pan uuid;
    holder uuid;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.pan_sealed IS DISTINCT FROM OLD.pan_sealed THEN pan := sealed_key(NEW.pan_sealed); END IF;
    IF TG_OP = 'INSERT' OR NEW.holder_sealed IS DISTINCT FROM OLD.holder_sealed THEN holder := sealed_key(NEW.holder_sealed); END IF;
    PERFORM use_sealed_key(pan);
    IF holder IS DISTINCT FROM pan THEN PERFORM use_sealed_key(holder); END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER request_card_sealed BEFORE INSERT OR UPDATE OF pan_sealed, holder_sealed ON request_card
    FOR EACH ROW EXECUTE FUNCTION request_card_sealed();

CREATE FUNCTION provider_account_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    credentials uuid;
    callback_keys uuid;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.credentials_sealed IS DISTINCT FROM OLD.credentials_sealed THEN
        credentials := sealed_key(NEW.credentials_sealed);
    END IF;
    IF TG_OP = 'INSERT' OR NEW.callback_keys_sealed IS DISTINCT FROM OLD.callback_keys_sealed THEN
        callback_keys := sealed_key(NEW.callback_keys_sealed);
    END IF;
    PERFORM use_sealed_key(credentials);
    IF callback_keys IS DISTINCT FROM credentials THEN PERFORM use_sealed_key(callback_keys); END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER provider_account_sealed BEFORE INSERT OR UPDATE OF credentials_sealed, callback_keys_sealed ON provider_account
    FOR EACH ROW EXECUTE FUNCTION provider_account_sealed();
