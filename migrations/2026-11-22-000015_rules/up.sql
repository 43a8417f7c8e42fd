-- Velocity rules count under these rows: of one card's number across customers, and of all of a partner's payouts.
ALTER TABLE limit_usage
    DROP CONSTRAINT limit_usage_subject_kind_check,
    ADD CONSTRAINT limit_usage_subject_kind_check
        CHECK (subject_kind IN ('customer', 'card', 'partner', 'velocity_card', 'velocity_partner'));
-- A partner's acceptances of the last while. Those of a customer, and so of a card, offer_history has. By an expression, so that the planner
-- serves no other statement by it.
CREATE INDEX offer_accepted ON offer ((partner_id::text || mode), accepted_at) WHERE accepted_at IS NOT NULL;

-- Whom and what is not paid out to. The house's entries hold for every partner of their mode. What was removed stays for the record.
CREATE TABLE block_list (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('customer', 'card', 'iin', 'country')),
    -- The reference, the first digits or the country; of a card its number with the middle left out.
    value text NOT NULL CHECK (length(value) BETWEEN 1 AND 255),
    -- Of a card, in the entry's own tenant.
    fingerprint bytea CHECK (length(fingerprint) = 32),
    reason text NOT NULL CHECK (length(reason) BETWEEN 3 AND 500),
    added_by text NOT NULL CHECK (length(added_by) BETWEEN 1 AND 200),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz CHECK (ends_at > starts_at),
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    removed_by text CHECK (length(removed_by) BETWEEN 1 AND 200),
    removal_reason text CHECK (length(removal_reason) BETWEEN 3 AND 500),
    PRIMARY KEY (id, partner_id, mode),
    CHECK ((kind = 'card') = (fingerprint IS NOT NULL)),
    CHECK ((removed_at IS NULL) = (removed_by IS NULL)),
    CHECK ((removed_at IS NULL) = (removal_reason IS NULL))
);
CREATE UNIQUE INDEX block_list_values ON block_list (value, kind, partner_id, mode) WHERE removed_at IS NULL AND kind <> 'card';
CREATE UNIQUE INDEX block_list_cards ON block_list (fingerprint, partner_id, mode) WHERE removed_at IS NULL AND kind = 'card';
CREATE INDEX block_list_countries ON block_list (partner_id, mode) WHERE removed_at IS NULL AND kind = 'country';
CREATE INDEX block_list_of_partner ON block_list (partner_id, mode, created_at, id);

-- The fingerprints of listed numbers, as each tenant knows them: a card row is compared with its own tenant's alone.
CREATE TABLE block_print (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    block_id uuid NOT NULL,
    PRIMARY KEY (fingerprint, partner_id, mode, block_id)
);

-- Cards that wait for their screening (open) or for a person (review), and how the others were settled.
CREATE TABLE card_screening (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    card_id bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'review', 'approved', 'declined')),
    why text CHECK (length(why) BETWEEN 1 AND 1000),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Rises when the card is added again: what was asked before settles nothing.
    epoch integer NOT NULL DEFAULT 1 CHECK (epoch >= 1),
    due_at timestamptz NOT NULL,
    settled_by text CHECK (length(settled_by) BETWEEN 1 AND 200),
    reason text CHECK (length(reason) BETWEEN 1 AND 500),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (card_id, partner_id, mode),
    FOREIGN KEY (card_id, partner_id, mode) REFERENCES card (id, partner_id, mode)
);
CREATE INDEX card_screening_due ON card_screening (due_at) WHERE state = 'open';
CREATE INDEX card_screening_waiting ON card_screening (partner_id, mode, updated_at) WHERE state IN ('open', 'review');
