DROP INDEX request_card_by_last_four, payout_by_arn, payout_by_rrn, payout_by_original_id, offer_by_total, offer_by_amount,
    payout_request_by_amount;
