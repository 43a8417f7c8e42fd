-- A person may decide that nothing more is sent of a request: `rejected`.
ALTER TABLE payout_request
    DROP CONSTRAINT payout_request_stop_requested_check,
    ADD CONSTRAINT payout_request_stop_requested_check
        CHECK (stop_requested IN ('cancel', 'expiry', 'failure', 'rejected'));
-- The question of these is whether a request goes on: where it isn't stopped any more, it was answered.
UPDATE staff_case c SET closed_at = now(), closing = 'ended', closed_by = 'gateway'
FROM payout_request r
WHERE (r.partner_id, r.mode, r.id) = (c.partner_id, c.mode, c.request_id) AND r.moderation_reason IS NULL
    AND c.kind IN ('not_found_at_provider', 'partly_paid') AND c.closed_at IS NULL;
