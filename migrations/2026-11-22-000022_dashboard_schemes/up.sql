-- The dashboard's list of payout schemes, last changed first; as its other lists' indexes (migration 000009) it begins with an expression.
CREATE INDEX payout_scheme_changed ON payout_scheme ((mode || ''), updated_at DESC, id DESC);
-- Which payout points go by a scheme.
CREATE INDEX payout_point_by_scheme ON payout_point (payout_scheme_id) WHERE payout_scheme_id IS NOT NULL;
