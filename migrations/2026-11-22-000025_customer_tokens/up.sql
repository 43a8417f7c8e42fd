-- Tokens of the customer that were signed before aren't taken. Set by revoking them, and by whoever blocks the customer, in whichever way.
ALTER TABLE customer ADD COLUMN tokens_since timestamptz;

CREATE FUNCTION end_tokens_of_blocked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tokens_since := greatest(OLD.tokens_since, NEW.blocked_at);
    RETURN NEW;
END
$$;
CREATE TRIGGER customer_tokens_end BEFORE UPDATE OF blocked_at ON customer
    FOR EACH ROW WHEN (NEW.blocked_at IS NOT NULL AND NEW.blocked_at IS DISTINCT FROM OLD.blocked_at)
    EXECUTE FUNCTION end_tokens_of_blocked();
