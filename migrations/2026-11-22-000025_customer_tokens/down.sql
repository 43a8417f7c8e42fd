DROP TRIGGER customer_tokens_end ON customer;
DROP FUNCTION end_tokens_of_blocked();
ALTER TABLE customer DROP COLUMN tokens_since;
