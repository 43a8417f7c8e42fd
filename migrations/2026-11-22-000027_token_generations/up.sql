-- Tokens of a customer are of a generation, which is read before one is signed; a later one ends them all. Unlike the time that they were signed
-- at, which it takes the place of, no clock is in it: neither a token that was being signed while the customer was blocked nor one of a node
-- whose clock is ahead stands up again.
ALTER TABLE customer ADD COLUMN token_generation bigint NOT NULL DEFAULT 0 CHECK (token_generation >= 0);

DROP TRIGGER customer_tokens_end ON customer;
DROP FUNCTION end_tokens_of_blocked();
ALTER TABLE customer DROP COLUMN tokens_since;

-- Whoever blocks a customer ends them, in whichever way, and so does whoever unblocks.
CREATE FUNCTION customer_tokens_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.token_generation := OLD.token_generation + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER customer_tokens_end BEFORE UPDATE OF blocked_at ON customer
    FOR EACH ROW WHEN (NEW.blocked_at IS DISTINCT FROM OLD.blocked_at) EXECUTE FUNCTION customer_tokens_end();
