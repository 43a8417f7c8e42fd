ALTER TABLE staff DROP COLUMN zone;
ALTER TABLE staff_session DROP COLUMN proved_at;
DROP TABLE balance_sample;
