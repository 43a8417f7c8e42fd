-- The secret that a key's requests are signed with, sealed in the vault for its row. Without one, the key's requests aren't signed.
ALTER TABLE api_key ADD COLUMN signing_sealed bytea CHECK (length(signing_sealed) BETWEEN 1 AND 4096);

-- As of all that is sealed (migration 000016).
CREATE FUNCTION api_key_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.signing_sealed IS DISTINCT FROM OLD.signing_sealed THEN
        PERFORM use_sealed_key(sealed_key(NEW.signing_sealed));
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER api_key_sealed BEFORE INSERT OR UPDATE OF signing_sealed ON api_key
    FOR EACH ROW EXECUTE FUNCTION api_key_sealed();

-- Callbacks that can't be verified are pruned to the newest of each account. The condition keeps it small, and out of the others' way.
CREATE INDEX provider_callback_strays ON provider_callback (provider_account_id, received_at, id) WHERE NOT verified;
