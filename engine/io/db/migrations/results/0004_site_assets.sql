-- What an assessed site is to its owner, who may have several at one coordinate: the id that the caller gave it, and the
-- cell whose results it took. `site_id` is the UUID of the asset, as in the result tables.
CREATE TABLE site_assets (
  site_id   uuid         PRIMARY KEY,
  given_id  varchar(100),
  latitude  numeric(9,6) NOT NULL, longitude numeric(9,6) NOT NULL,
  grid_id   integer      NOT NULL,
  cell_basis      varchar(10)      NOT NULL CHECK (cell_basis IN ('own','nearest')),
  cell_distance_m double precision NOT NULL CHECK (cell_distance_m >= 0),
  calculated_at timestamptz NOT NULL DEFAULT now()
);

-- whether the damage rates behind a loss are calibrated on losses
ALTER TABLE aal_scaled_results ADD COLUMN calibrated boolean NOT NULL DEFAULT false;
CREATE OR REPLACE VIEW aal_scaled_results_latest AS
SELECT DISTINCT ON (latitude, longitude, risk_type) * FROM aal_scaled_results WHERE scenario_id = 2
ORDER BY latitude, longitude, risk_type, calculated_at DESC, time_period;      -- tie: full first
