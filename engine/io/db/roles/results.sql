-- Rights in the application database, after roles.sql. A run swaps partitions, so climate_batch owns the result
-- tables; the partitions of the next run are readable through the default privileges of climate_batch.
DO $$
DECLARE
  here text := quote_ident(current_schema());
  found record;
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO climate_batch, climate_api, climate_reader', current_database());
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO climate_batch, climate_api', current_database());
  EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %s TO climate_batch', here);
  EXECUTE format('GRANT USAGE ON SCHEMA %s TO climate_api, climate_reader', here);
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE climate_batch IN SCHEMA %s '
                 'GRANT SELECT ON TABLES TO climate_api, climate_reader', here);
  FOR found IN
    SELECT tree.relid::regclass::text AS name, c.relowner <> 'climate_batch'::regrole AS foreign_owned
    FROM unnest(ARRAY['probability_results', 'hazard_results', 'modelops_probability_scores',
                      'modelops_hazard_scores', 'modelops_year_losses', 'modelops_ensemble_scores']) AS parent(name),
         pg_partition_tree(parent.name::regclass) AS tree JOIN pg_class c ON c.oid = tree.relid
  LOOP
    IF found.foreign_owned THEN
      EXECUTE format('ALTER TABLE %s OWNER TO climate_batch', found.name);
    END IF;
    EXECUTE format('GRANT SELECT ON %s TO climate_api, climate_reader', found.name);
  END LOOP;
  GRANT SELECT ON risk_types, scenario_names, result_runs, result_sample_years, batch_job_logs, probability_results_v
    TO climate_batch, climate_api, climate_reader;
  GRANT INSERT, DELETE ON result_sample_years, scenario_names TO climate_batch;
  GRANT INSERT, UPDATE ON result_runs TO climate_batch;
  EXECUTE format('GRANT USAGE ON SEQUENCE %s TO climate_batch', pg_get_serial_sequence('result_runs', 'run_id'));
  -- the listener takes queued runs and writes their ends; the cleaner empties the caches
  GRANT INSERT, UPDATE ON batch_job_logs TO climate_batch, climate_api;
  GRANT SELECT, INSERT, UPDATE ON batch_jobs TO climate_batch, climate_api;
  -- triggers fill the outbox of webhooks; listener, service and batches empty it, the cleaner takes what is old
  GRANT SELECT, INSERT, UPDATE ON webhook_targets TO climate_batch, climate_api;
  GRANT SELECT, UPDATE ON webhook_deliveries TO climate_batch, climate_api;
  GRANT DELETE ON webhook_targets, webhook_deliveries TO climate_batch;
  -- how jobs go, not whose sites they are about
  GRANT SELECT (batch_id, job_type, status, progress, current_step, total_items, completed_items, failed_items,
                created_at, started_at, updated_at, completed_at, actual_duration_seconds, run_id, items_per_second,
                attempts, not_before) ON batch_jobs TO climate_reader;
  GRANT SELECT, DELETE ON modelops_vulnerability_cache, modelops_aal_cache TO climate_batch;
  GRANT SELECT, INSERT, UPDATE, DELETE ON modelops_vulnerability_cache, modelops_aal_cache TO climate_api;
  GRANT SELECT, INSERT, UPDATE ON site_assets, exposure_results, vulnerability_results, aal_scaled_results
    TO climate_api;
  GRANT SELECT ON exposure_results_latest, vulnerability_results_latest, aal_scaled_results_latest TO climate_api;
  -- GRANT without the right to grant is a mere warning
  IF NOT has_schema_privilege('climate_batch', current_schema()::text, 'CREATE') THEN
    RAISE EXCEPTION '% may not grant rights on schema %: run as its owner', current_user, here;
  END IF;
END $$;
