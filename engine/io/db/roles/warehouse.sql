-- Rights in the warehouse, after roles.sql. The loaders make, swap and drop tables, so climate_etl owns them; what they
-- make later is readable through the default privileges of climate_etl.
DO $$
DECLARE
  here text := quote_ident(current_schema());
  found record;
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO climate_etl, climate_batch, climate_api, climate_reader', current_database());
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO climate_etl', current_database());
  EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %s TO climate_etl', here);
  EXECUTE format('GRANT USAGE ON SCHEMA %s TO climate_batch, climate_api, climate_reader', here);
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE climate_etl IN SCHEMA %s '
                 'GRANT SELECT ON TABLES TO climate_batch, climate_api, climate_reader', here);
  FOR found IN
    SELECT c.oid::regclass::text AS name, c.relowner <> 'climate_etl'::regrole AS foreign_owned
    FROM pg_class c
    WHERE c.relnamespace = here::regnamespace AND c.relkind IN ('r', 'p')
      AND (c.relname IN (
             'scenario', 'grid_definition', 'location_grid', 'location_admin', 'location_sgg261', 'grid_attributes',
             'sea_level_grid', 'etl_load', 'map_feature', 'water_basin', 'water_basin_province',
             'water_stress_rankings', 'api_typhoon_besttrack', 'api_wamis_water_usage', 'api_wamis_stations',
             'api_wamis_flow', 'api_buildings')
           -- every climate table, partition, staged, refused or regional table
           OR 4 = (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                   AND a.attname IN ('ssp1', 'ssp2', 'ssp3', 'ssp5')))
  LOOP
    IF found.foreign_owned THEN
      EXECUTE format('ALTER TABLE %s OWNER TO climate_etl', found.name);
    END IF;
    EXECUTE format('GRANT SELECT ON %s TO climate_batch, climate_api, climate_reader', found.name);
  END LOOP;
  GRANT SELECT ON schema_migration TO climate_etl;
  GRANT EXECUTE ON FUNCTION climate_cell, climate_data_query, climate_data TO climate_etl, climate_batch, climate_api, climate_reader;
  -- GRANT without the right to grant is a mere warning
  IF NOT has_schema_privilege('climate_etl', current_schema()::text, 'CREATE') THEN
    RAISE EXCEPTION '% may not grant rights on schema %: run as its owner', current_user, here;
  END IF;
END $$;
