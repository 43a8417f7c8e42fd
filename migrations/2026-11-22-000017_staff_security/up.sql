-- Staff accounts as they are kept in live mode: passwords that somebody else chose are changed at once, a second factor, devices that
-- strangers can't lock out, and changes that wait for a second person.

ALTER TABLE staff
    -- Somebody else chose the password: nothing else is shown before it is changed.
    ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
    ADD COLUMN password_changed_at timestamptz,
    -- When it was last signed in to, made or enabled: what isn't used for long is refused.
    ADD COLUMN active_at timestamptz,
    -- The secret of the second factor, sealed for this row under the house's data key of `mode`.
    ADD COLUMN totp_secret bytea,
    -- One that was shown and not proved yet.
    ADD COLUMN totp_offered bytea,
    ADD COLUMN totp_offered_at timestamptz,
    ADD COLUMN partner_id uuid REFERENCES partner (id),
    ADD COLUMN mode text CHECK (mode IN ('test', 'live')),
    ADD COLUMN totp_enrolled_at timestamptz,
    -- The time step of the last code that was taken: no code counts twice (RFC 6238, 5.2).
    ADD COLUMN totp_step bigint CHECK (totp_step >= 0),
    ADD CONSTRAINT staff_totp_whole CHECK ((totp_secret IS NULL) = (totp_enrolled_at IS NULL)),
    ADD CONSTRAINT staff_totp_sealed CHECK ((partner_id IS NOT NULL AND mode IS NOT NULL) OR (totp_secret IS NULL AND totp_offered IS NULL));
UPDATE staff SET password_changed_at = created_at, active_at = now();
ALTER TABLE staff
    ALTER COLUMN password_changed_at SET NOT NULL,
    ALTER COLUMN active_at SET NOT NULL;

-- The last passwords before the one in force, as hashes: none of them is taken again.
CREATE TABLE staff_password (
    staff_id uuid NOT NULL REFERENCES staff (id),
    replaced_at timestamptz NOT NULL,
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    PRIMARY KEY (staff_id, replaced_at, password_hash)
);

-- One for each time that the second factor isn't at hand.
CREATE TABLE staff_recovery_code (
    staff_id uuid NOT NULL REFERENCES staff (id),
    -- SHA-256 of 80 random bits.
    code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (staff_id, code_hash)
);

-- Browsers in which somebody has signed in to the account: their failures are counted by themselves.
CREATE TABLE staff_device (
    -- SHA-256 of the token in the cookie.
    id bytea PRIMARY KEY CHECK (length(id) = 32),
    staff_id uuid NOT NULL REFERENCES staff (id),
    failed_count integer NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    locked_until timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at)
);
CREATE INDEX staff_device_of_staff ON staff_device (staff_id, created_at);

ALTER TABLE staff_session
    -- The password was right, the second factor is still asked for: it opens the page that asks, and nothing else.
    ADD COLUMN is_pending boolean NOT NULL DEFAULT false,
    -- The device that the sign-in is counted by.
    ADD COLUMN device_id bytea CHECK (length(device_id) = 32);

-- Changes that one person or key has asked for, and that another person approves or declines.
CREATE TABLE approval (
    partner_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    id uuid NOT NULL,
    -- What the audit trail calls the change: `moderation.decide`, `payout_scheme.publish`.
    action text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
    object text NOT NULL CHECK (length(object) BETWEEN 1 AND 200),
    -- What is to be done, and what it was before and is after it, as it was when it was asked: both sealed for this row, so that nobody
    -- approves what somebody edited.
    change bytea NOT NULL,
    told bytea NOT NULL,
    asked_by text NOT NULL CHECK (length(asked_by) BETWEEN 1 AND 200),
    asked_origin text CHECK (length(asked_origin) <= 200),
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > asked_at),
    status text NOT NULL CHECK (status IN ('open', 'applied', 'declined', 'stale', 'expired')),
    decided_by text CHECK (length(decided_by) BETWEEN 1 AND 200),
    decided_origin text CHECK (length(decided_origin) <= 200),
    decided_at timestamptz,
    reason text CHECK (length(reason) BETWEEN 1 AND 1000),
    PRIMARY KEY (id, partner_id, mode),
    CHECK ((status = 'open') = (decided_at IS NULL)),
    -- Nobody is the second person to themselves.
    CONSTRAINT approval_by_another CHECK (status <> 'applied' OR decided_by <> asked_by)
);
CREATE INDEX approval_open ON approval (mode, asked_at, id) WHERE status = 'open';
CREATE INDEX approval_newest ON approval (mode, asked_at DESC, id DESC);
-- One change of a thing waits at a time. What is to be made has no id yet, and is called 'new'.
CREATE UNIQUE INDEX approval_once ON approval (object, action, partner_id, mode) WHERE status = 'open' AND object <> 'new';

-- As of all that is sealed (migration 000016).
CREATE FUNCTION staff_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    secret uuid;
    offered uuid;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.totp_secret IS DISTINCT FROM OLD.totp_secret THEN secret := sealed_key(NEW.totp_secret); END IF;
    IF TG_OP = 'INSERT' OR NEW.totp_offered IS DISTINCT FROM OLD.totp_offered THEN offered := sealed_key(NEW.totp_offered); END IF;
    PERFORM use_sealed_key(secret);
    IF offered IS DISTINCT FROM secret THEN PERFORM use_sealed_key(offered); END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER staff_sealed BEFORE INSERT OR UPDATE OF totp_secret, totp_offered ON staff
    FOR EACH ROW EXECUTE FUNCTION staff_sealed();

CREATE FUNCTION approval_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change uuid;
    told uuid;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.change IS DISTINCT FROM OLD.change THEN change := sealed_key(NEW.change); END IF;
    IF TG_OP = 'INSERT' OR NEW.told IS DISTINCT FROM OLD.told THEN told := sealed_key(NEW.told); END IF;
    PERFORM use_sealed_key(change);
    IF told IS DISTINCT FROM change THEN PERFORM use_sealed_key(told); END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER approval_sealed BEFORE INSERT OR UPDATE OF change, told ON approval
    FOR EACH ROW EXECUTE FUNCTION approval_sealed();
