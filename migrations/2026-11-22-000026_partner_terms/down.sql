ALTER TABLE payout_request DROP COLUMN statement_descriptor;
DROP TABLE partner_terms;
DROP FUNCTION partner_terms_kept();
DROP FUNCTION partner_terms_next();
