-- The secret that a key's requests are signed with, sealed in the vault for its row. Without one, the key's requests aren't signed.
ALTER TABLE api_key ADD COLUMN signing_sealed bytea CHECK (length(signing_sealed) BETWEEN 1 AND 4096);

-- Callbacks that can't be verified are pruned to the newest of each account. The condition keeps it small, and out of the others' way.
CREATE INDEX provider_callback_strays ON provider_callback (provider_account_id, received_at, id) WHERE NOT verified;
