DROP INDEX job_dead, staff_case_waiting, payout_request_ended, payout_request_returned, payout_request_unpaid,
    payout_request_open, payout_request_newest, card_by_last_four, offer_of_customer, offer_by_status;
DROP TABLE staff_session;
DROP TABLE staff;
