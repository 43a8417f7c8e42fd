-- What support finds by what a customer or a provider reads out. Each costs one more place to write at a payout, so only what no index there is
-- serves: references of ours, e-mail addresses, cards and their last four are found by the ones before.

-- What arrives, of a request; what was spent, with and without fees, of an offer that was accepted. The mode is an expression, as in all
-- indexes of lists (migration 000009).
CREATE INDEX payout_request_by_amount ON payout_request (amount, (mode || ''), created_at DESC, id DESC);
CREATE INDEX offer_by_amount ON offer (amount, (mode || ''), quoted_at DESC, id DESC) WHERE accepted_at IS NOT NULL;
CREATE INDEX offer_by_total ON offer (total, (mode || ''), quoted_at DESC, id DESC) WHERE accepted_at IS NOT NULL;

-- What a provider calls a payment. Written once, when it answers.
CREATE INDEX payout_by_original_id ON payout (provider_original_id) WHERE provider_original_id IS NOT NULL;
CREATE INDEX payout_by_rrn ON payout (rrn) WHERE rrn IS NOT NULL;
CREATE INDEX payout_by_arn ON payout (arn) WHERE arn IS NOT NULL;

-- Cards that came in with a partner's request.
CREATE INDEX request_card_by_last_four ON request_card (last_four, mode);
