-- Exports that tenants asked for, what was erased of whom and when, and how long technical records
-- live. An erasure's rows hold ids and counts only: they prove it and are kept.

CREATE TABLE exports (
  tenant_id uuid NOT NULL,
  export_id uuid PRIMARY KEY,
  requested_by uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'ready', 'failed', 'expired')),
  requested_at timestamptz NOT NULL,
  completed_at timestamptz,
  expires_at timestamptz,
  size_bytes bigint CHECK (size_bytes > 0),
  rows bigint CHECK (rows >= 0),
  sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  reason text,
  CHECK ((state = 'running') = (completed_at IS NULL)),
  CHECK ((state IN ('ready', 'expired')) = (expires_at IS NOT NULL)),
  CHECK ((state = 'failed') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX exports_one_running ON exports (tenant_id) WHERE state = 'running';
CREATE INDEX exports_by_tenant ON exports (tenant_id, export_id);
CREATE INDEX exports_due ON exports (expires_at) WHERE state = 'ready';

CREATE TABLE erasures (
  tenant_id uuid NOT NULL,
  erasure_id uuid PRIMARY KEY,
  started_at timestamptz NOT NULL,
  completed_at timestamptz,
  swept_at timestamptz,
  sweeps int NOT NULL DEFAULT 0 CHECK (sweeps >= 0),
  UNIQUE (tenant_id, erasure_id),
  CHECK ((sweeps = 0) = (completed_at IS NULL)),
  CHECK ((sweeps = 0) = (swept_at IS NULL))
);
CREATE INDEX erasures_due ON erasures (swept_at) WHERE completed_at IS NOT NULL;

-- What a sweep found in a store before it removed it; a step without done_at was cut off.
CREATE TABLE erasure_steps (
  tenant_id uuid NOT NULL,
  erasure_id uuid NOT NULL,
  sweep int NOT NULL CHECK (sweep >= 1),
  store text NOT NULL CHECK (store IN ('postgresql', 'clickhouse', 'redis', 's3')),
  rows_erased bigint NOT NULL CHECK (rows_erased >= 0),
  rows_kept bigint NOT NULL DEFAULT 0 CHECK (rows_kept >= 0),
  done_at timestamptz,
  PRIMARY KEY (erasure_id, sweep, store),
  FOREIGN KEY (tenant_id, erasure_id) REFERENCES erasures (tenant_id, erasure_id)
);

REVOKE DELETE ON erasures, erasure_steps FROM sinyal_database_service;

-- Written by the migration from the catalogue; the room cannot change what it may prune.
CREATE TABLE retention_rules (
  relation text NOT NULL,
  age_column text NOT NULL,
  days int NOT NULL CHECK (days >= 1),
  PRIMARY KEY (relation)
);
REVOKE INSERT, UPDATE, DELETE ON retention_rules FROM sinyal_database_service;

-- Retention spans tenants. This removes what a rule says and nothing younger, whatever the caller
-- takes for now.
CREATE FUNCTION prune_rows(wanted text, as_of timestamptz, most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = database_service, pg_temp AS $$
DECLARE rule database_service.retention_rules; removed int;
BEGIN
  SELECT * INTO STRICT rule FROM database_service.retention_rules WHERE relation = wanted;
  EXECUTE format(
    'DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE %2$I < $1'
    ' LIMIT $2 FOR UPDATE SKIP LOCKED))', rule.relation::regclass, rule.age_column)
    USING least(as_of, now()) - make_interval(days => rule.days), least(most, 10000);
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $$;
REVOKE ALL ON FUNCTION prune_rows(text, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_rows(text, timestamptz, int) TO sinyal_database_service;

-- What the clock needs to know across tenants: which archives are past their life, which exports
-- were cut off, and which erasures are to be looked at again.
CREATE FUNCTION due_exports(as_of timestamptz, stale_before timestamptz, most int)
RETURNS TABLE (tenant_id uuid, export_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = database_service, pg_temp AS $$
  SELECT e.tenant_id, e.export_id FROM database_service.exports e
  WHERE (e.state = 'ready' AND e.expires_at <= as_of)
     OR (e.state = 'running' AND e.requested_at <= stale_before)
  ORDER BY e.export_id LIMIT least(most, 500)
$$;
REVOKE ALL ON FUNCTION due_exports(timestamptz, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_exports(timestamptz, timestamptz, int) TO sinyal_database_service;

CREATE FUNCTION due_sweeps(completed_after timestamptz, swept_before timestamptz, most int)
RETURNS TABLE (tenant_id uuid, erasure_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = database_service, pg_temp AS $$
  SELECT e.tenant_id, e.erasure_id FROM database_service.erasures e
  WHERE e.completed_at > completed_after AND e.swept_at <= swept_before
  ORDER BY e.swept_at, e.erasure_id LIMIT least(most, 200)
$$;
REVOKE ALL ON FUNCTION due_sweeps(timestamptz, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_sweeps(timestamptz, timestamptz, int) TO sinyal_database_service;

SELECT public.enable_tenant_isolation('database_service.exports');
SELECT public.enable_tenant_isolation('database_service.erasures');
SELECT public.enable_tenant_isolation('database_service.erasure_steps');
