-- What an operator sees of a job: the run that a batch is and how fast it goes, and how often a job was tried. A batch
-- that is resumed has a row for each of its sessions, all with the same run_id.
ALTER TABLE batch_jobs
  ADD COLUMN run_id           integer REFERENCES result_runs,
  ADD COLUMN items_per_second real CHECK (items_per_second >= 0),
  ADD COLUMN attempts         smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  ADD COLUMN not_before       timestamptz;       -- a queued job waits until then for its next attempt
CREATE INDEX batch_jobs_run_ix ON batch_jobs (run_id) WHERE run_id IS NOT NULL;
