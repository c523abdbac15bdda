-- Losses of single years, methods of editions that price and fit, intervals, changes between windows, ensembles of runs;
-- and scenarios, periods and currencies of other regions than the first. No table of results is rewritten: columns come
-- without a value, and a check takes the place of a narrower one, so it holds for every row without a look (NOT VALID).

-- A partition that a run switched in holds its parent's checks as its own, so each is dropped table by table.
DO $$
DECLARE
  old record;
BEGIN
  FOR old IN
    SELECT c.conrelid::regclass AS tab, c.conname
      FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
     WHERE c.contype = 'c' AND t.relnamespace = current_schema()::regnamespace
       AND (c.conname, pg_partition_root(c.conrelid)) IN (
             VALUES ('probability_results_method_check', 'probability_results'::regclass),
                    ('probability_results_check', 'probability_results'),
                    ('probability_results_check1', 'probability_results'),
                    ('modelops_probability_scores_method_check', 'modelops_probability_scores'),
                    ('modelops_probability_scores_check', 'modelops_probability_scores'),
                    ('modelops_probability_scores_scenario_id_check', 'modelops_probability_scores'),
                    ('modelops_probability_scores_time_period_check', 'modelops_probability_scores'),
                    ('modelops_hazard_scores_scenario_id_check', 'modelops_hazard_scores'),
                    ('modelops_hazard_scores_time_period_check', 'modelops_hazard_scores'))
     ORDER BY t.relispartition                       -- the parent first: it takes what was inherited along
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', old.tab, old.conname);
  END LOOP;
END $$;

ALTER TABLE probability_results
  ADD COLUMN aal_low  real,                          -- 90 % interval of the AAL
  ADD COLUMN aal_high real,
  ADD COLUMN rates_low  real,                        -- the same by damage rates and their level alone
  ADD COLUMN rates_high real,
  ADD CONSTRAINT probability_results_method_check
    CHECK (method IN ('kde','count','fitted','not_exposed','not_priced','insufficient_data')) NOT VALID,
  ADD CONSTRAINT probability_results_check
    CHECK ((aal IS NULL) = (method IN ('insufficient_data','not_priced'))) NOT VALID,
  ADD CONSTRAINT probability_results_check1
    CHECK ((bin_data IS NULL) = (method = 'insufficient_data')) NOT VALID,
  ADD CONSTRAINT probability_results_interval_check CHECK (0 <= aal_low AND aal_low <= aal_high AND aal_high <= 1) NOT VALID,
  ADD CONSTRAINT probability_results_rates_check
    CHECK (0 <= rates_low AND rates_low <= rates_high AND rates_high <= 1) NOT VALID;
ALTER TABLE modelops_probability_scores
  ADD COLUMN aal_low  real,
  ADD COLUMN aal_high real,
  ADD COLUMN rates_low  real,
  ADD COLUMN rates_high real,
  ADD COLUMN change      real,                       -- AAL less that of the short term
  ADD COLUMN change_se   real,
  ADD COLUMN significant boolean,
  ADD CONSTRAINT modelops_probability_scores_method_check
    CHECK (method IN ('kde','count','fitted','not_exposed','not_priced','insufficient_data')) NOT VALID,
  ADD CONSTRAINT modelops_probability_scores_check
    CHECK ((aal IS NULL) = (method IN ('insufficient_data','not_priced'))) NOT VALID,
  ADD CONSTRAINT modelops_probability_scores_interval_check
    CHECK (0 <= aal_low AND aal_low <= aal_high AND aal_high <= 1) NOT VALID,
  ADD CONSTRAINT modelops_probability_scores_rates_check
    CHECK (0 <= rates_low AND rates_low <= rates_high AND rates_high <= 1) NOT VALID,
  ADD CONSTRAINT modelops_probability_scores_change_check
    CHECK (change BETWEEN -1 AND 1 AND change_se >= 0 AND change_se <> 'NaN') NOT VALID,
  ADD CONSTRAINT modelops_probability_scores_scenario_id_check CHECK (scenario_id > 0) NOT VALID,
  ADD CONSTRAINT modelops_probability_scores_time_period_check CHECK (time_period <> '') NOT VALID;
ALTER TABLE modelops_hazard_scores
  ADD CONSTRAINT modelops_hazard_scores_scenario_id_check CHECK (scenario_id > 0) NOT VALID,
  ADD CONSTRAINT modelops_hazard_scores_time_period_check CHECK (time_period <> '') NOT VALID;

-- `aal_scaled_results_check1` was: a row that is ok has a loss
ALTER TABLE aal_scaled_results
  DROP CONSTRAINT aal_scaled_results_scenario_id_check,
  DROP CONSTRAINT aal_scaled_results_time_period_check,
  DROP CONSTRAINT aal_scaled_results_check1,
  ADD COLUMN currency char(3) NOT NULL DEFAULT 'KRW',
  ADD CONSTRAINT aal_scaled_results_scenario_id_check CHECK (scenario_id > 0) NOT VALID,
  ADD CONSTRAINT aal_scaled_results_time_period_check CHECK (time_period <> '') NOT VALID,
  ADD CONSTRAINT aal_scaled_results_currency_check CHECK (currency ~ '^[A-Z][A-Z][A-Z]$') NOT VALID,
  ADD CONSTRAINT aal_scaled_results_check1
    CHECK (status <> 'ok' OR final_aal IS NOT NULL OR (reason IS NOT NULL AND reason = 'not_priced')) NOT VALID;
-- a cache of 24 hours is small: an AAL of 2e-7 was rounded to nothing in it
ALTER TABLE modelops_aal_cache
  DROP CONSTRAINT modelops_aal_cache_scenario_id_check,
  DROP CONSTRAINT modelops_aal_cache_time_period_check,
  ALTER COLUMN base_aal             TYPE double precision,
  ALTER COLUMN final_aal_percentage TYPE double precision,
  ADD COLUMN currency char(3) NOT NULL DEFAULT 'KRW',
  ADD CONSTRAINT modelops_aal_cache_scenario_id_check CHECK (scenario_id > 0),
  ADD CONSTRAINT modelops_aal_cache_time_period_check CHECK (time_period <> ''),
  ADD CONSTRAINT modelops_aal_cache_currency_check CHECK (currency ~ '^[A-Z][A-Z][A-Z]$');

CREATE TABLE scenario_names (
  scenario_id smallint     PRIMARY KEY CHECK (scenario_id > 0),
  code        varchar(40)  NOT NULL UNIQUE,
  label       varchar(100) NOT NULL
);
INSERT INTO scenario_names VALUES
  (1, 'SSP1-2.6', 'sustainability, low emissions'), (2, 'SSP2-4.5', 'middle of the road, medium emissions'),
  (3, 'SSP3-7.0', 'regional rivalry, high emissions'), (4, 'SSP5-8.5', 'fossil-fuelled development, very high emissions');

-- A row a cell and risk: the losses of its years under one scenario and period after the other, in the order and with
-- the years of `result_sample_years` (docs/decisions/0009-year-losses.md says why not a row for each).
CREATE TABLE result_sample_years (
  run_id      integer     NOT NULL REFERENCES result_runs,
  risk_type   varchar(50) NOT NULL REFERENCES risk_types,
  scenario_id smallint    NOT NULL CHECK (scenario_id > 0),
  time_period varchar(20) NOT NULL CHECK (time_period <> ''),
  place       smallint    NOT NULL CHECK (place > 0),
  years       smallint[]  NOT NULL,
  PRIMARY KEY (run_id, risk_type, scenario_id, time_period),
  UNIQUE (run_id, risk_type, place)
);
CREATE TABLE modelops_year_losses (
  grid_id     integer     NOT NULL,
  risk_type   varchar(50) NOT NULL,
  run_id      integer     NOT NULL,
  losses      bytea       NOT NULL CHECK (octet_length(losses) % 4 = 0),
  valid       bytea                CHECK (octet_length(valid) = octet_length(losses)),
  computed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (grid_id, risk_type, run_id)
) PARTITION BY LIST (risk_type);
ALTER TABLE modelops_year_losses                     -- inside the row up to a page, where a cell is found in one look
  ALTER COLUMN losses SET STORAGE MAIN, ALTER COLUMN valid SET STORAGE MAIN;

CREATE TABLE modelops_ensemble_scores (
  grid_id        integer     NOT NULL,
  scenario_id    smallint    NOT NULL CHECK (scenario_id > 0),
  risk_type      varchar(50) NOT NULL,
  time_period    varchar(20) NOT NULL CHECK (time_period <> ''),
  members        smallint    NOT NULL CHECK (members >= 0),
  aal_mean       real CHECK (aal_mean BETWEEN 0 AND 1),
  aal_sd_between real CHECK (aal_sd_between >= 0 AND aal_sd_between <> 'NaN'),
  aal_p10        real CHECK (aal_p10 BETWEEN 0 AND 1),
  aal_p50        real CHECK (aal_p50 BETWEEN 0 AND 1),
  aal_p90        real CHECK (aal_p90 BETWEEN 0 AND 1),
  total_se       real CHECK (total_se >= 0 AND total_se <> 'NaN'),
  agreement      real CHECK (agreement BETWEEN 0 AND 1),
  computed_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (grid_id, scenario_id, risk_type, time_period)
) PARTITION BY LIST (risk_type);

DO $$
DECLARE
  new text;
  risk text;
  given record;
BEGIN
  FOREACH new IN ARRAY ARRAY['modelops_year_losses', 'modelops_ensemble_scores'] LOOP
    FOR risk IN SELECT risk_type FROM risk_types ORDER BY ordinal LOOP
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)', new || '_' || risk, new, risk);
    END LOOP;
  END LOOP;
  -- in a database whose roles were made before: the new tables belong to whom the old ones do, and are read likewise
  FOR given IN
    SELECT tree.relid::regclass AS tab, o.relowner::regrole AS owner
      FROM pg_class o,
           (SELECT relid FROM pg_partition_tree('modelops_year_losses')
            UNION ALL SELECT relid FROM pg_partition_tree('modelops_ensemble_scores')
            UNION ALL SELECT 'result_sample_years'::regclass UNION ALL SELECT 'scenario_names'::regclass) AS tree
     WHERE o.oid = 'modelops_probability_scores'::regclass AND o.relowner <> current_user::regrole
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO %s', given.tab, given.owner);
  END LOOP;
  FOR given IN
    SELECT tree.relid::regclass AS tab, a.grantee::regrole AS reader
      FROM pg_class o, aclexplode(o.relacl) a,
           (SELECT relid FROM pg_partition_tree('modelops_year_losses')
            UNION ALL SELECT relid FROM pg_partition_tree('modelops_ensemble_scores')
            UNION ALL SELECT 'result_sample_years'::regclass UNION ALL SELECT 'scenario_names'::regclass) AS tree
     WHERE o.oid = 'modelops_probability_scores'::regclass AND a.privilege_type = 'SELECT'
       AND a.grantee NOT IN (0, o.relowner)
  LOOP
    EXECUTE format('GRANT SELECT ON %s TO %s', given.tab, given.reader);
  END LOOP;
END $$;

-- Views with the new columns at their ends. Replaced and not dropped: their rights stay, and so do views of others on them.
CREATE OR REPLACE VIEW probability_results_v AS
SELECT p.latitude, p.longitude, p.risk_type, p.grid_id, p.aal, p.probability, p.aal_se, p.bin_data, p.n_samples, p.method,
       p.run_id, p.calculated_at,
       (SELECT jsonb_object_agg('bin' || (e->>'bin'), e->'probability')
          FROM jsonb_array_elements(p.bin_data) AS e) AS bin_probabilities,
       jsonb_build_object('method', p.method, 'n_samples', p.n_samples, 'aal_se', p.aal_se, 'run_id', p.run_id,
                          'edition', r.edition, 'baseline', r.baseline, 'scope', r.scope) AS calculation_details,
       p.aal_low, p.aal_high, p.rates_low, p.rates_high
FROM probability_results p LEFT JOIN result_runs r ON r.run_id = p.run_id;
CREATE OR REPLACE VIEW aal_scaled_results_latest AS
SELECT DISTINCT ON (latitude, longitude, risk_type)
       site_id, latitude, longitude, risk_type, scenario_id, time_period, base_aal, vulnerability_scale, insurance_rate,
       final_aal, expected_loss, aal_capped, status, reason, is_default, calculated_at, calibrated, run_id, currency
FROM aal_scaled_results WHERE scenario_id = 2
ORDER BY latitude, longitude, risk_type, calculated_at DESC, time_period;      -- tie: full first

-- Ensembles are batches: their end is told with their run, as that of the other three.
DO $make$
DECLARE
  here text := quote_ident(current_schema());
  body text;
BEGIN
  SELECT pg_get_functiondef((here || '.webhook_job_ended')::regproc) INTO body;
  EXECUTE replace(body, '(''probability'', ''hazard'', ''yearly'')', '(''probability'', ''hazard'', ''yearly'', ''ensemble'')');
END $make$;
