UPDATE payout_request SET stop_requested = 'failure' WHERE stop_requested = 'rejected';
ALTER TABLE payout_request
    DROP CONSTRAINT payout_request_stop_requested_check,
    ADD CONSTRAINT payout_request_stop_requested_check CHECK (stop_requested IN ('cancel', 'expiry', 'failure'));
