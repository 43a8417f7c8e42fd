-- Callbacks were known again by a SHA-256 of their bodies, which tells a short body, and so a card number in it, to whoever tries all. From now
-- on by the vault's MAC of that; the program carries over what is there (housekeeping), for which the key is needed.
ALTER TABLE provider_callback ADD COLUMN keyed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN provider_callback.digest IS 'the vault''s MAC of the SHA-256 of what matters of it; of what isn''t keyed yet, that SHA-256';
CREATE INDEX provider_callback_unkeyed ON provider_callback (id) WHERE NOT keyed;

-- Where the log of a request that was over long ago begins, and the MAC of the event before, which is gone: the chain is judged from there on.
ALTER TABLE payout_request
    ADD COLUMN events_from integer CHECK (events_from BETWEEN 2 AND event_seq),
    ADD COLUMN events_before bytea CHECK (length(events_before) = 32),
    ADD CHECK ((events_from IS NULL) = (events_before IS NULL)),
    ADD CHECK (events_from IS NULL OR final_at IS NOT NULL);

-- What retention looks for, oldest first (docs/security.md).
CREATE INDEX payout_request_with_events ON payout_request (final_at) WHERE final_at IS NOT NULL AND events_from IS NULL AND event_seq > 1;
CREATE INDEX provider_callback_by_time ON provider_callback (received_at);
CREATE INDEX card_by_use ON card (updated_at) WHERE hidden_at IS NULL;
CREATE INDEX payout_request_of_card ON payout_request (card_id, created_at) WHERE card_id IS NOT NULL;

-- Cards whose number was destroyed while the holder's name and address stayed, as earlier versions did it.
CREATE INDEX card_left_over ON card (id) WHERE destroyed_at IS NOT NULL AND (holder_sealed <> '' OR billing_sealed IS NOT NULL);
