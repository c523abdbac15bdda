CREATE EXTENSION IF NOT EXISTS postgis;
ALTER TABLE location_admin ADD COLUMN geom geometry(MultiPolygon,4326)
  GENERATED ALWAYS AS (ST_Multi(ST_GeomFromWKB(geom_wkb, 4326))) STORED;
ALTER TABLE location_grid  ADD COLUMN geom geometry(Point,4326)
  GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(longitude::float8, latitude::float8), 4326)) STORED;
ALTER TABLE sea_level_grid ADD COLUMN geom geometry(Point,4326)
  GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(longitude::float8, latitude::float8), 4326)) STORED;
ALTER TABLE api_buildings  ADD COLUMN geog geography(Point,4326)
  GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(longitude::float8, latitude::float8), 4326)::geography) STORED;
CREATE INDEX location_admin_gix ON location_admin USING gist (geom);
CREATE INDEX location_grid_gix  ON location_grid  USING gist (geom);
CREATE INDEX api_buildings_gix  ON api_buildings  USING gist (geog);
