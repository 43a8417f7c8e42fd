DROP INDEX job_dead, payout_unknown, payout_request_ended, payout_request_returned, payout_request_unpaid,
    payout_request_open, payout_request_newest, card_by_last_four, offer_by_status;

CREATE INDEX offer_by_status ON offer (mode, status, quoted_at DESC, id DESC);
CREATE INDEX card_by_last_four ON card (mode, last_four);
CREATE INDEX payout_request_newest ON payout_request (mode, created_at DESC, id DESC);
CREATE INDEX payout_request_open ON payout_request (mode, created_at DESC, id DESC) WHERE final_at IS NULL;
CREATE INDEX payout_request_unpaid ON payout_request (mode, created_at DESC, id DESC)
    WHERE final_at IS NOT NULL AND amount_processed < amount;
CREATE INDEX payout_request_returned ON payout_request (mode, created_at DESC, id DESC) WHERE amount_returned > 0;
CREATE INDEX payout_request_ended ON payout_request (mode, final_at) WHERE final_at IS NOT NULL;
CREATE INDEX staff_case_waiting ON staff_case (mode, opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX job_dead ON job (mode, dead_at) WHERE dead_at IS NOT NULL;
