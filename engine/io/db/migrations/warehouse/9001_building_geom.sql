-- `geom` beside `geog`: older readers ask for it. Distances in metres are those of `geog`.
ALTER TABLE api_buildings ADD COLUMN geom geometry(Point,4326)
  GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(longitude::float8, latitude::float8), 4326)) STORED;
CREATE INDEX api_buildings_geom_gix ON api_buildings USING gist (geom);
