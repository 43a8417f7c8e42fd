-- The house's own people. They see every partner, so they belong to none and to no mode.
CREATE TABLE staff (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- argon2id in the PHC string format.
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    role text NOT NULL CHECK (role IN ('viewer', 'support', 'operator', 'admin')),
    -- Attempts since the last success, the one under way included.
    failed_count integer NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    locked_until timestamptz,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT staff_email_once UNIQUE (email)
);

CREATE TABLE staff_session (
    -- SHA-256 of the token in the cookie; the token itself is stored nowhere.
    id bytea PRIMARY KEY CHECK (length(id) = 32),
    staff_id uuid NOT NULL REFERENCES staff (id),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    ip text CHECK (length(ip) <= 45),
    user_agent text CHECK (length(user_agent) <= 200)
);
CREATE INDEX staff_session_age ON staff_session (expires_at);

-- What the dashboard's lists and searches read by, in one mode and over all partners. An id or a reference is found by the
-- keys that are there, partner by partner (they are few).

-- Offers by status, newest first; the list of all of them is a merge over the statuses.
CREATE INDEX offer_by_status ON offer (mode, status, quoted_at DESC, id DESC);
-- Offers of a customer, newest first; those of a card are the ones of its customer.
CREATE INDEX offer_of_customer ON offer (customer_id, quoted_at DESC, id DESC);
CREATE INDEX card_by_last_four ON card (mode, last_four);

-- None of these names the status: it changes while a request is under way, and an index over it would cost those updates
-- their place on the page (HOT). What they do name changes when the request ends, or never.
CREATE INDEX payout_request_newest ON payout_request (mode, created_at DESC, id DESC);
CREATE INDEX payout_request_open ON payout_request (mode, created_at DESC, id DESC) WHERE final_at IS NULL;
CREATE INDEX payout_request_unpaid ON payout_request (mode, created_at DESC, id DESC)
    WHERE final_at IS NOT NULL AND amount_processed < amount;
CREATE INDEX payout_request_returned ON payout_request (mode, created_at DESC, id DESC) WHERE amount_returned > 0;
-- What ended today.
CREATE INDEX payout_request_ended ON payout_request (mode, final_at) WHERE final_at IS NOT NULL;

-- Everything that waits for a person, oldest first.
CREATE INDEX staff_case_waiting ON staff_case (mode, opened_at, id) WHERE closed_at IS NULL;
-- Jobs that no worker takes any more.
CREATE INDEX job_dead ON job (mode, dead_at) WHERE dead_at IS NOT NULL;
