-- Webhooks (docs/webhooks.md): an outbox. Triggers write a delivery for each known target in the transaction of the event,
-- so neither is there without the other, whoever writes it; while no target is known they write nothing. A deliverer
-- locks a target, never a job or a run.
CREATE TABLE webhook_targets (
  target       char(64)     PRIMARY KEY,             -- SHA-256 of the address, which may hold a secret
  label        varchar(300) NOT NULL,                -- its scheme, host and port
  failures     integer      NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- in a row
  paused_until timestamptz  NOT NULL DEFAULT '-infinity',
  seen_at      timestamptz  NOT NULL DEFAULT now()   -- a process had it among its settings
);
CREATE TABLE webhook_deliveries (
  sequence     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id     uuid         NOT NULL,                -- the same for every target
  event        varchar(20)  NOT NULL CHECK (event IN ('published','job_ended')),
  target       char(64)     NOT NULL,
  body         text         NOT NULL,                -- as it is signed and sent
  attempts     integer      NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  last_error   varchar(300),
  created_at   timestamptz  NOT NULL DEFAULT now(),
  next_try_at  timestamptz  NOT NULL DEFAULT now(),
  delivered_at timestamptz,
  given_up_at  timestamptz,
  CHECK (delivered_at IS NULL OR given_up_at IS NULL)
);
CREATE INDEX webhook_deliveries_waiting_ix ON webhook_deliveries (target, sequence)
  WHERE delivered_at IS NULL AND given_up_at IS NULL;

-- The functions write as their owner: whoever ends a job needs no right on the outbox. Their search path holds nothing
-- that another role could put a table or a function into.
DO $make$
DECLARE
  here text := quote_ident(current_schema());
BEGIN
  EXECUTE format($sql$
    CREATE FUNCTION %1$s.webhook_time(moment timestamptz) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$
  $sql$, here);
  EXECUTE format($sql$
    CREATE FUNCTION %1$s.webhook_run(number integer) RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
      SELECT jsonb_build_object(
        'run_id', run_id, 'job_type', job_type, 'status', summary ->> 'status', 'scope', scope, 'edition', edition,
        'edition_checksum', edition_checksum, 'baseline', baseline,
        'started_at', %1$s.webhook_time(started_at), 'published_at', %1$s.webhook_time(published_at))
      FROM %1$s.result_runs WHERE run_id = number
    $$
  $sql$, here);
  EXECUTE format($sql$
    CREATE FUNCTION %1$s.webhook_announce(name text, moment timestamptz, content jsonb) RETURNS void LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    AS $$
      WITH made AS MATERIALIZED (SELECT gen_random_uuid() AS event_id)
      INSERT INTO %1$s.webhook_deliveries (event_id, event, target, body)
      SELECT event_id, name, target, (jsonb_build_object('version', 1, 'id', event_id, 'event', name,
                                      'occurred_at', %1$s.webhook_time(moment)) || content)::text
      FROM made, %1$s.webhook_targets WHERE seen_at > now() - interval '30 days'
    $$
  $sql$, here);
  EXECUTE format($sql$
    CREATE FUNCTION %1$s.webhook_published() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    BEGIN
      IF EXISTS (SELECT FROM %1$s.webhook_targets) THEN
        PERFORM %1$s.webhook_announce('published', NEW.published_at,
                                      jsonb_build_object('run', %1$s.webhook_run(NEW.run_id)));
      END IF;
      RETURN NULL;
    END $$
  $sql$, here);
  EXECUTE format($sql$
    CREATE FUNCTION %1$s.webhook_job_ended() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
      number text;
    BEGIN
      IF EXISTS (SELECT FROM %1$s.webhook_targets) THEN
        IF NEW.job_type IN ('probability', 'hazard', 'yearly') THEN  -- results of others may be large, and name no run
          number := NEW.results ->> 'run_id';
        END IF;
        PERFORM %1$s.webhook_announce('job_ended', NEW.completed_at, jsonb_build_object(
          'job', jsonb_build_object(
            'batch_id', NEW.batch_id, 'job_type', NEW.job_type, 'status', NEW.status, 'progress', NEW.progress,
            'total_items', NEW.total_items, 'completed_items', NEW.completed_items, 'failed_items', NEW.failed_items,
            'error_message', left(NEW.error_message, 1000), 'created_at', %1$s.webhook_time(NEW.created_at),
            'started_at', %1$s.webhook_time(NEW.started_at), 'completed_at', %1$s.webhook_time(NEW.completed_at)),
          'run', CASE WHEN number ~ '^[0-9]{1,9}$' THEN %1$s.webhook_run(number::integer) END));
      END IF;
      RETURN NULL;
    END $$
  $sql$, here);
END $make$;
REVOKE ALL ON FUNCTION webhook_announce, webhook_run, webhook_published, webhook_job_ended FROM PUBLIC;

CREATE TRIGGER webhook_published AFTER UPDATE ON result_runs FOR EACH ROW
  WHEN (OLD.published_at IS NULL AND NEW.published_at IS NOT NULL) EXECUTE FUNCTION webhook_published();
CREATE TRIGGER webhook_job_ended AFTER UPDATE ON batch_jobs FOR EACH ROW
  WHEN (OLD.status IN ('queued', 'running') AND NEW.status IN ('completed', 'failed', 'cancelled'))
  EXECUTE FUNCTION webhook_job_ended();
