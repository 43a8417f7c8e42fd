DROP INDEX payout_point_by_scheme, payout_scheme_changed;
