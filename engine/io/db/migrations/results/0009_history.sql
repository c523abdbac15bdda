-- Which run made the base AAL of a row; null in rows older than this column, and where it cannot be told.
ALTER TABLE aal_scaled_results ADD COLUMN run_id integer;
CREATE OR REPLACE VIEW aal_scaled_results_latest AS
SELECT DISTINCT ON (latitude, longitude, risk_type) * FROM aal_scaled_results WHERE scenario_id = 2
ORDER BY latitude, longitude, risk_type, calculated_at DESC, time_period;      -- tie: full first
-- Assessments of a coordinate by date: the rows of their jobs hold what they came to.
CREATE INDEX batch_jobs_place_ix ON batch_jobs
  (((results ->> 'latitude')::numeric), ((results ->> 'longitude')::numeric), completed_at DESC)
  WHERE job_type = 'ondemand_risk_calculation' AND status = 'completed';
CREATE INDEX batch_job_logs_batch_ix ON batch_job_logs (batch_id);
CREATE INDEX batch_job_logs_run_ix   ON batch_job_logs (run_id);
