DROP INDEX provider_callback_strays;
ALTER TABLE api_key DROP COLUMN signing_sealed;
