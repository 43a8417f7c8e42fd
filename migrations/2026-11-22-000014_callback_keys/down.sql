ALTER TABLE provider_account
    DROP CONSTRAINT provider_account_callback_keys_check,
    DROP COLUMN callback_keys_until,
    DROP COLUMN callback_keys_sealed;
