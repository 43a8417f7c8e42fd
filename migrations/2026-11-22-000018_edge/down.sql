DROP INDEX provider_callback_strays;
DROP TRIGGER api_key_sealed ON api_key;
DROP FUNCTION api_key_sealed();
ALTER TABLE api_key DROP COLUMN signing_sealed;
