DROP TRIGGER customer_tokens_end ON customer;
DROP FUNCTION customer_tokens_end();
ALTER TABLE customer DROP COLUMN token_generation;

-- Tokens that were signed until now aren't taken by an earlier version: it can't know which of them were revoked.
ALTER TABLE customer ADD COLUMN tokens_since timestamptz;
UPDATE customer SET tokens_since = now();
CREATE FUNCTION end_tokens_of_blocked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tokens_since := greatest(OLD.tokens_since, NEW.blocked_at);
    RETURN NEW;
END
$$;
CREATE TRIGGER customer_tokens_end BEFORE UPDATE OF blocked_at ON customer
    FOR EACH ROW WHEN (NEW.blocked_at IS NOT NULL AND NEW.blocked_at IS DISTINCT FROM OLD.blocked_at)
    EXECUTE FUNCTION end_tokens_of_blocked();
