DROP TRIGGER card_sealed ON card;
DROP TRIGGER request_card_sealed ON request_card;
DROP TRIGGER provider_account_sealed ON provider_account;
DROP FUNCTION card_sealed, request_card_sealed, provider_account_sealed, use_sealed_key, sealed_key_lock, sealed_key;
DROP TABLE reseal_pass;
-- A retired key's row says nothing without its dates, and nothing names it.
DELETE FROM dek WHERE retired_at IS NOT NULL;
ALTER TABLE dek
    DROP CONSTRAINT dek_retired_check,
    DROP COLUMN drained_at,
    DROP COLUMN compromised_at,
    DROP COLUMN retired_at;
