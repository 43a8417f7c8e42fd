-- The credentials that callbacks were verified with before they were replaced, sealed for their row, and until when they still are: what a
-- provider signed before it knew the new key is not lost.
ALTER TABLE provider_account
    ADD COLUMN callback_keys_sealed bytea,
    ADD COLUMN callback_keys_until timestamptz,
    ADD CONSTRAINT provider_account_callback_keys_check
        CHECK ((callback_keys_sealed IS NULL) = (callback_keys_until IS NULL));
