DROP INDEX job_due;
CREATE INDEX job_due ON job (kind, run_at) WHERE dead_at IS NULL;
