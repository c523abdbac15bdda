-- The four roles, for warehouse and results alike. Cluster-wide; made without login and without password: whoever runs
-- the server gives them one (ALTER ROLE climate_batch LOGIN PASSWORD '...'). May be repeated; a login is left as it is.
--   climate_etl     loads the warehouse
--   climate_batch   reads the warehouse, publishes results, runs the schedule
--   climate_api     reads both, writes jobs, site tables and caches
--   climate_reader  reads climate data and published results, the state of jobs; no sites
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['climate_etl', 'climate_batch', 'climate_api', 'climate_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
    -- only a member of a role may give tables to it; a superuser is one already
    IF NOT pg_has_role(current_user, role, 'USAGE') THEN
      EXECUTE format('GRANT %I TO %I', role, current_user);
    END IF;
  END LOOP;
END $$;
