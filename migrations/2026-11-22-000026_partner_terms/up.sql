-- What a partner's payouts are priced and limited by where that differs from the house's (docs/terms.md): a document a version, of which the
-- newest is in force. Never changed and never deleted: a new version takes its place.
CREATE TABLE partner_terms (
    partner_id uuid NOT NULL REFERENCES partner (id),
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object'),
    reason text NOT NULL CHECK (length(reason) BETWEEN 3 AND 500),
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (partner_id, mode, version)
);

CREATE FUNCTION partner_terms_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version IS DISTINCT FROM 1 + coalesce(
        (SELECT max(t.version) FROM partner_terms t WHERE t.partner_id = NEW.partner_id AND t.mode = NEW.mode), 0)
    THEN
        RAISE EXCEPTION 'partner_terms: version % doesn''t follow the last one', NEW.version USING ERRCODE = 'unique_violation',
            CONSTRAINT = 'partner_terms_pkey';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER partner_terms_next BEFORE INSERT ON partner_terms FOR EACH ROW EXECUTE FUNCTION partner_terms_next();

CREATE FUNCTION partner_terms_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'partner_terms: versions are kept as they are' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER partner_terms_kept BEFORE UPDATE OR DELETE ON partner_terms FOR EACH ROW EXECUTE FUNCTION partner_terms_kept();
CREATE TRIGGER partner_terms_not_emptied BEFORE TRUNCATE ON partner_terms EXECUTE FUNCTION partner_terms_kept();

-- What the card holder reads, as the partner's terms had it when the request came in: every payout of the request is sent with it, however
-- often. NULL: what the provider account says.
ALTER TABLE payout_request ADD COLUMN statement_descriptor text CHECK (length(statement_descriptor) BETWEEN 1 AND 22);
