-- The series of one cell, for readers that expect a relation climate_data(latitude, longitude, year, month): a function, as
-- a view over a table a variable would have thousands of millions of rows. It reads one cell of each table by its index.

-- number of the cell that holds a place; null outside the lattice. A place between two cells belongs to the one north-east
-- of it, and longitudes may be a turn away, as in engine.core.grid.
CREATE FUNCTION climate_cell(latitude double precision, longitude double precision) RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN i BETWEEN 0 AND n_lat - 1 AND j BETWEEN 0 AND n_lon - 1 THEN (i * n_lon + j + 1)::integer END
    FROM grid_definition,
         LATERAL (SELECT longitude - 360 * floor((longitude - (lon0 - step * (0.5 + 1e-9))) / 360) AS east) turned,
         LATERAL (SELECT floor((latitude - lat0) / step + 0.5 + 1e-9) AS i, floor((east - lon0) / step + 0.5 + 1e-9) AS j) place
$$;

-- the statement that climate_data runs, for EXPLAIN
CREATE FUNCTION climate_data_query(latitude double precision, longitude double precision, variables text[] DEFAULT NULL)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  cell text := coalesce(climate_cell(latitude, longitude)::text, 'NULL');
  parts text[] := '{}';
  known text[] := '{}';
  found record;
BEGIN
  FOR found IN
    SELECT c.relname AS name, left(c.relname, -5) AS variable, bool_or(a.attname = 'observation_date') AS monthly
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
     WHERE pg_table_is_visible(c.oid) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname LIKE '%\_data' AND c.relname <> 'sea_level_data'
     GROUP BY 1 HAVING count(*) FILTER (WHERE a.attname IN ('grid_id', 'ssp1', 'ssp2', 'ssp3', 'ssp5')) = 5 ORDER BY 1
  LOOP
    known := known || found.variable;
    CONTINUE WHEN NOT found.variable = ANY (variables);
    parts := parts || format(
      'SELECT %L::text, %s, nullif(ssp1, ''NaN''), nullif(ssp2, ''NaN''), nullif(ssp3, ''NaN''), nullif(ssp5, ''NaN'')'
      ' FROM %I WHERE grid_id = %s',
      found.variable,
      CASE WHEN found.monthly
        THEN 'observation_date, date_part(''year'', observation_date)::int, date_part(''month'', observation_date)::int'
        ELSE 'NULL::date, year::int, NULL::int' END,
      found.name, cell);
  END LOOP;
  known := known || 'sea_level'::text;
  IF variables IS NULL OR 'sea_level' = ANY (variables) THEN
    parts := parts || format(
      'SELECT ''sea_level''::text, NULL::date, s.year::int, NULL::int, s.ssp1, s.ssp2, s.ssp3, s.ssp5'
      ' FROM location_grid g JOIN sea_level_data s ON s.grid_id = g.slr_grid_id WHERE g.grid_id = %s', cell);
  END IF;
  IF NOT variables <@ known THEN
    RAISE EXCEPTION 'climate_data knows no %: there are %',
      (SELECT string_agg(v, ', ') FROM unnest(variables) AS v WHERE NOT v = ANY (known)), array_to_string(known, ', ')
      USING ERRCODE = 'undefined_object';
  END IF;
  RETURN array_to_string(parts, ' UNION ALL ') || ' ORDER BY 1, 3, 4';
END $$;

-- no row for a place outside the lattice or without climate; missing values are null
CREATE FUNCTION climate_data(latitude double precision, longitude double precision, variables text[] DEFAULT NULL)
RETURNS TABLE (variable text, observation_date date, year integer, month integer, ssp1 real, ssp2 real, ssp3 real, ssp5 real)
LANGUAGE plpgsql STABLE ROWS 10000 AS $$
BEGIN
  RETURN QUERY EXECUTE climate_data_query(latitude, longitude, variables);
END $$;
