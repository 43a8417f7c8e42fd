-- What the dashboard's lists read by begins with an expression, which no other statement asks for: an index that begins with the bare
-- mode fits every look-up of the engine's, and a planner without statistics may serve those by it.
DROP INDEX job_dead, staff_case_waiting, payout_request_ended, payout_request_returned, payout_request_unpaid,
    payout_request_open, payout_request_newest, card_by_last_four, offer_by_status;

-- Offers by status, newest first; the list of all of them is a merge over the statuses.
CREATE INDEX offer_by_status ON offer ((mode || ''), status, quoted_at DESC, id DESC);
CREATE INDEX card_by_last_four ON card (last_four, mode);

-- None of these names the status: it changes while a request is under way, and an index over it would cost those updates
-- their place on the page (HOT). What they do name changes when the request ends, or never.
CREATE INDEX payout_request_newest ON payout_request ((mode || ''), created_at DESC, id DESC);
CREATE INDEX payout_request_open ON payout_request ((mode || ''), created_at DESC, id DESC) WHERE final_at IS NULL;
CREATE INDEX payout_request_unpaid ON payout_request ((mode || ''), created_at DESC, id DESC)
    WHERE final_at IS NOT NULL AND amount_processed < amount;
CREATE INDEX payout_request_returned ON payout_request ((mode || ''), created_at DESC, id DESC) WHERE amount_returned > 0;
-- What ended today.
CREATE INDEX payout_request_ended ON payout_request ((mode || ''), final_at) WHERE final_at IS NOT NULL;

-- Payouts whose fate is open: few, and the oldest of them is what somebody looks for. (What waits for a person, staff_case_open has.)
CREATE INDEX payout_unknown ON payout (created_at) WHERE status = 'unknown';
-- Jobs that no worker takes any more.
CREATE INDEX job_dead ON job (dead_at) WHERE dead_at IS NOT NULL;
