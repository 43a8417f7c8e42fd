-- Jobs that fell due in the same moment are claimed in the order of their subjects, whose ids are UUIDv7: in the order in which they
-- were made, and the same one each time.
DROP INDEX job_due;
CREATE INDEX job_due ON job (kind, run_at, subject_id) WHERE dead_at IS NULL;
