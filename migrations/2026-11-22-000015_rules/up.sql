-- Velocity rules count under these rows: of one card's number across customers, and of all of a partner's payouts.
ALTER TABLE limit_usage
    DROP CONSTRAINT limit_usage_subject_kind_check,
    ADD CONSTRAINT limit_usage_subject_kind_check
        CHECK (subject_kind IN ('customer', 'card', 'partner', 'velocity_card', 'velocity_partner'));
-- A partner's acceptances of the last while. Those of a customer, and so of a card, offer_history has.
CREATE INDEX offer_accepted ON offer (accepted_at, partner_id, mode) WHERE accepted_at IS NOT NULL;
