DROP TABLE card_screening, block_print, block_list;
DROP INDEX offer_accepted;
DELETE FROM limit_usage WHERE subject_kind IN ('velocity_card', 'velocity_partner');
ALTER TABLE limit_usage
    DROP CONSTRAINT limit_usage_subject_kind_check,
    ADD CONSTRAINT limit_usage_subject_kind_check CHECK (subject_kind IN ('customer', 'card', 'partner'));
