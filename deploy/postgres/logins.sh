#!/bin/sh
# Run once by the PostgreSQL image on an empty data folder: the four roles of `jobs.schema --roles`, with a login and
# the passwords of the mounted secrets. Rights come with `jobs.schema --roles` itself.
set -eu
for role in etl batch api reader; do
  psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set role="climate_$role" --set password="$(cat "/run/secrets/${role}_password")" <<'SQL'
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
done
