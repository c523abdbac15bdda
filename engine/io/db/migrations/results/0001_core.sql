-- Application database: results, jobs, caches.
CREATE TABLE risk_types (
  risk_type varchar(50) PRIMARY KEY,
  ordinal   smallint    NOT NULL UNIQUE,
  alias     varchar(50) UNIQUE                   -- accepted on input only
);
INSERT INTO risk_types VALUES
  ('extreme_heat',1,'high_temperature'), ('extreme_cold',2,'cold_wave'), ('drought',3,NULL),
  ('river_flood',4,'inland_flood'), ('urban_flood',5,NULL), ('sea_level_rise',6,'coastal_flood'),
  ('typhoon',7,NULL), ('wildfire',8,NULL), ('water_stress',9,'water_scarcity');

CREATE TABLE result_runs (                       -- one row per batch run, joined on run_id
  run_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_type    varchar(50) NOT NULL,              -- probability | hazard | yearly (both)
  scope       varchar(20) NOT NULL,              -- of the warehouse; only 'full' may replace published 'full'
  edition     varchar(40) NOT NULL,              -- methodology edition
  edition_checksum   char(64) NOT NULL,
  source_fingerprint char(64) NOT NULL,
  baseline    varchar(40) NOT NULL,              -- e.g. '1991-2020' or '2021-2050 SSP2-4.5'
  summary     jsonb,                             -- per risk: components used, cells skipped, null counts
  started_at  timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);

-- Probability: one row per cell x risk, scenario SSP2-4.5, period full (2021-2100)
CREATE TABLE probability_results (
  latitude    numeric(9,6) NOT NULL CHECK (latitude  BETWEEN  -90 AND  90),
  longitude   numeric(9,6) NOT NULL CHECK (longitude BETWEEN -180 AND 180),
  risk_type   varchar(50)  NOT NULL,
  grid_id     integer      NOT NULL,
  aal         real CHECK (aal BETWEEN 0 AND 1),                       -- ratio, not percent
  probability real GENERATED ALWAYS AS (aal) STORED,                  -- read alias, same value
  aal_se      real CHECK (aal_se >= 0 AND aal_se <> 'NaN'),
  bin_data    jsonb CHECK (jsonb_typeof(bin_data) = 'array'),
  n_samples   smallint    NOT NULL,
  method      varchar(20) NOT NULL
    CHECK (method IN ('kde','count','not_exposed','insufficient_data')),
  run_id      integer     NOT NULL,
  calculated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((method = 'insufficient_data') = (aal IS NULL)),
  CHECK ((aal IS NULL) = (bin_data IS NULL)),
  PRIMARY KEY (latitude, longitude, risk_type)
) PARTITION BY LIST (risk_type);
CREATE UNIQUE INDEX probability_results_grid_uq ON probability_results (grid_id, risk_type);

-- Hazard: same grain
CREATE TABLE hazard_results (
  latitude    numeric(9,6) NOT NULL CHECK (latitude  BETWEEN  -90 AND  90),
  longitude   numeric(9,6) NOT NULL CHECK (longitude BETWEEN -180 AND 180),
  risk_type   varchar(50)  NOT NULL,
  grid_id     integer      NOT NULL,
  hazard_score     real        NOT NULL CHECK (hazard_score     BETWEEN 0 AND 1),
  hazard_score_100 real        NOT NULL CHECK (hazard_score_100 BETWEEN 0 AND 100),
  hazard_level     varchar(20) NOT NULL
    CHECK (hazard_level IN ('MINIMAL','LOW','MEDIUM','HIGH','CRITICAL')),
  run_id      integer     NOT NULL,
  calculated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (latitude, longitude, risk_type)
) PARTITION BY LIST (risk_type);
CREATE UNIQUE INDEX hazard_results_grid_uq ON hazard_results (grid_id, risk_type);

-- Scenario x period detail: 4 scenarios x 3 periods x 9 risks per cell
CREATE TABLE modelops_hazard_scores (
  hazard_id   uuid         NOT NULL DEFAULT gen_random_uuid(),        -- kept for the contract, not indexed
  grid_id     integer      NOT NULL,
  scenario_id smallint     NOT NULL CHECK (scenario_id BETWEEN 1 AND 4),
  risk_type   varchar(50)  NOT NULL,
  time_period varchar(20)  NOT NULL CHECK (time_period IN ('short_term','mid_term','long_term')),
  score       numeric(5,4) NOT NULL CHECK (score BETWEEN 0 AND 1),
  percentile  numeric(5,2) CHECK (percentile BETWEEN 0 AND 100),      -- NULL from a --cells run
  computed_at timestamptz  NOT NULL DEFAULT now(),
  PRIMARY KEY (grid_id, scenario_id, risk_type, time_period)
) PARTITION BY LIST (risk_type);

CREATE TABLE modelops_probability_scores (       -- our addition, same grain
  grid_id     integer      NOT NULL,
  scenario_id smallint     NOT NULL CHECK (scenario_id BETWEEN 1 AND 4),
  risk_type   varchar(50)  NOT NULL,
  time_period varchar(20)  NOT NULL CHECK (time_period IN ('short_term','mid_term','long_term')),
  aal         real CHECK (aal BETWEEN 0 AND 1),
  aal_se      real CHECK (aal_se >= 0 AND aal_se <> 'NaN'),
  bin_probs   real[],                            -- order of the edition's bins
  n_samples   smallint     NOT NULL,
  method      varchar(20)  NOT NULL
    CHECK (method IN ('kde','count','not_exposed','insufficient_data')),
  computed_at timestamptz  NOT NULL DEFAULT now(),
  CHECK ((method = 'insufficient_data') = (aal IS NULL)),
  PRIMARY KEY (grid_id, scenario_id, risk_type, time_period)
) PARTITION BY LIST (risk_type);

DO $$
DECLARE t text; r text;
BEGIN
  FOREACH t IN ARRAY ARRAY['probability_results','hazard_results',
                           'modelops_hazard_scores','modelops_probability_scores'] LOOP
    FOR r IN SELECT risk_type FROM risk_types ORDER BY ordinal LOOP
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)', t||'_'||r, t, r);
    END LOOP;
  END LOOP;
END $$;

CREATE VIEW probability_results_v AS             -- adds {"bin1": p, ...} for older readers
SELECT p.*, (SELECT jsonb_object_agg('bin' || (e->>'bin'), e->'probability')
             FROM jsonb_array_elements(p.bin_data) AS e) AS bin_probabilities
FROM probability_results p;

-- Site assessments
CREATE TABLE exposure_results (
  site_id   uuid         NOT NULL,
  latitude  numeric(9,6) NOT NULL, longitude numeric(9,6) NOT NULL,   -- the site, not the cell centre
  risk_type varchar(50)  NOT NULL REFERENCES risk_types,
  exposure_score         real NOT NULL CHECK (exposure_score         BETWEEN 0 AND 1),
  proximity_factor       real NOT NULL CHECK (proximity_factor       BETWEEN 0 AND 1),
  normalized_asset_value real NOT NULL CHECK (normalized_asset_value BETWEEN 0 AND 1),
  status        varchar(10) NOT NULL DEFAULT 'ok' CHECK (status IN ('ok','failed')),
  reason        text,
  is_default    boolean     NOT NULL DEFAULT false,
  calculated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (status = 'ok' OR reason IS NOT NULL),
  PRIMARY KEY (site_id, risk_type)
);
CREATE INDEX exposure_results_xy_ix ON exposure_results (latitude, longitude, risk_type, calculated_at DESC);

CREATE TABLE vulnerability_results (
  site_id   uuid         NOT NULL,
  latitude  numeric(9,6) NOT NULL, longitude numeric(9,6) NOT NULL,
  risk_type varchar(50)  NOT NULL REFERENCES risk_types,
  vulnerability_score real        NOT NULL CHECK (vulnerability_score BETWEEN 0 AND 100),
  vulnerability_level varchar(20) NOT NULL
    CHECK (vulnerability_level IN ('very_low','low','medium','high','very_high')),
  factors       jsonb,
  status        varchar(10) NOT NULL DEFAULT 'ok' CHECK (status IN ('ok','failed')),
  reason        text,
  is_default    boolean     NOT NULL DEFAULT false,
  calculated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (status = 'ok' OR reason IS NOT NULL),
  PRIMARY KEY (site_id, risk_type)
);
CREATE INDEX vulnerability_results_xy_ix
  ON vulnerability_results (latitude, longitude, risk_type, calculated_at DESC);

CREATE TABLE aal_scaled_results (
  site_id     uuid         NOT NULL,
  latitude    numeric(9,6) NOT NULL, longitude numeric(9,6) NOT NULL,
  risk_type   varchar(50)  NOT NULL REFERENCES risk_types,
  scenario_id smallint     NOT NULL DEFAULT 2 CHECK (scenario_id BETWEEN 1 AND 4),
  time_period varchar(20)  NOT NULL
    CHECK (time_period IN ('full','short_term','mid_term','long_term')),
  base_aal            double precision CHECK (base_aal  BETWEEN 0 AND 1),
  vulnerability_scale numeric(5,4)     CHECK (vulnerability_scale BETWEEN 0.9 AND 1.1),
  insurance_rate      numeric(5,4)     NOT NULL DEFAULT 0 CHECK (insurance_rate BETWEEN 0 AND 1),
  final_aal           double precision CHECK (final_aal BETWEEN 0 AND 1),
  expected_loss       bigint           CHECK (expected_loss >= 0),    -- KRW; NULL without an asset value
  aal_capped    boolean     NOT NULL DEFAULT false,
  status        varchar(10) NOT NULL DEFAULT 'ok' CHECK (status IN ('ok','failed')),
  reason        text,
  is_default    boolean     NOT NULL DEFAULT false,
  calculated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (status = 'ok' OR reason IS NOT NULL),
  CHECK (status <> 'ok' OR final_aal IS NOT NULL),
  PRIMARY KEY (site_id, risk_type, scenario_id, time_period)
);
CREATE INDEX aal_scaled_results_xy_ix
  ON aal_scaled_results (latitude, longitude, risk_type, calculated_at DESC);

-- older readers expect one row per (latitude, longitude, risk_type)
CREATE VIEW exposure_results_latest AS
SELECT DISTINCT ON (latitude, longitude, risk_type) * FROM exposure_results
ORDER BY latitude, longitude, risk_type, calculated_at DESC;
CREATE VIEW vulnerability_results_latest AS
SELECT DISTINCT ON (latitude, longitude, risk_type) * FROM vulnerability_results
ORDER BY latitude, longitude, risk_type, calculated_at DESC;
CREATE VIEW aal_scaled_results_latest AS
SELECT DISTINCT ON (latitude, longitude, risk_type) * FROM aal_scaled_results WHERE scenario_id = 2
ORDER BY latitude, longitude, risk_type, calculated_at DESC, time_period;      -- tie: full first

-- Jobs
CREATE TABLE batch_jobs (
  batch_id   uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
  job_type   varchar(50) NOT NULL,
  status     varchar(20) NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued','running','completed','failed','cancelled')),
  progress   integer     NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  current_step    varchar(200),
  total_items     integer NOT NULL DEFAULT 0 CHECK (total_items     >= 0),
  completed_items integer NOT NULL DEFAULT 0 CHECK (completed_items >= 0),
  failed_items    integer NOT NULL DEFAULT 0 CHECK (failed_items    >= 0),
  input_params jsonb NOT NULL DEFAULT '{}',
  results      jsonb,
  error_message     text,
  error_stack_trace text,
  worker_id    text,
  created_by   uuid,
  created_at   timestamptz NOT NULL DEFAULT now(),
  started_at   timestamptz,
  updated_at   timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  expires_at   timestamptz,
  actual_duration_seconds integer,
  CHECK ((status = 'completed') = (progress = 100))
);
CREATE INDEX batch_jobs_status_ix   ON batch_jobs (status, created_at);
CREATE INDEX batch_jobs_job_type_ix ON batch_jobs (job_type);

CREATE TABLE batch_job_logs (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  batch_id     uuid REFERENCES batch_jobs ON DELETE SET NULL,
  run_id       integer REFERENCES result_runs,
  job_type     varchar(50) NOT NULL,
  started_at   timestamptz NOT NULL,
  completed_at timestamptz,
  status       varchar(20) NOT NULL
    CHECK (status IN ('running','completed','partial','failed','skipped','cancelled')),
  total_grids     integer CHECK (total_grids     >= 0),   -- cells with has_climate
  processed_grids integer CHECK (processed_grids >= 0),   -- succeeded
  failed_grids    integer CHECK (failed_grids    >= 0),
  success_rate    numeric(5,2) CHECK (success_rate BETWEEN 0 AND 100),
  error_message   text,
  CHECK (processed_grids + failed_grids <= total_grids)
);
CREATE INDEX batch_job_logs_started_ix ON batch_job_logs (started_at DESC);

-- Request caches, 24 h
CREATE TABLE modelops_vulnerability_cache (
  cache_id      uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
  site_id       uuid         NOT NULL,
  building_hash varchar(64)  NOT NULL CHECK (building_hash ~ '^[0-9a-f]{64}$'),
  risk_type     varchar(50)  NOT NULL REFERENCES risk_types,
  score         numeric(5,2) NOT NULL CHECK (score BETWEEN 0 AND 100),
  level         varchar(20)  NOT NULL
    CHECK (level IN ('very_low','low','medium','high','very_high')),
  factors       jsonb,
  computed_at   timestamptz  NOT NULL DEFAULT now(),
  expires_at    timestamptz  NOT NULL DEFAULT now() + interval '24 hours',
  UNIQUE (site_id, building_hash, risk_type)
);
CREATE INDEX modelops_vulnerability_cache_expires_ix ON modelops_vulnerability_cache (expires_at);

CREATE TABLE modelops_aal_cache (
  cache_id             uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
  site_id              uuid         NOT NULL,
  risk_type            varchar(50)  NOT NULL REFERENCES risk_types,
  scenario_id          smallint     NOT NULL CHECK (scenario_id BETWEEN 1 AND 4),
  time_period          varchar(20)  NOT NULL
    CHECK (time_period IN ('full','short_term','mid_term','long_term')),
  building_hash        varchar(64)  NOT NULL CHECK (building_hash ~ '^[0-9a-f]{64}$'),
  asset_hash           varchar(64)  NOT NULL CHECK (asset_hash    ~ '^[0-9a-f]{64}$'),
  base_aal             numeric(8,6) NOT NULL CHECK (base_aal BETWEEN 0 AND 1),
  final_aal_percentage numeric(8,4) NOT NULL CHECK (final_aal_percentage BETWEEN 0 AND 100),
  expected_loss        bigint       CHECK (expected_loss >= 0),
  vulnerability_scale  numeric(5,4) NOT NULL CHECK (vulnerability_scale BETWEEN 0.9 AND 1.1),
  risk_level           varchar(20),
  computed_at          timestamptz  NOT NULL DEFAULT now(),
  expires_at           timestamptz  NOT NULL DEFAULT now() + interval '24 hours',
  UNIQUE (site_id, risk_type, scenario_id, time_period)
);
CREATE INDEX modelops_aal_cache_expires_ix ON modelops_aal_cache (expires_at);
