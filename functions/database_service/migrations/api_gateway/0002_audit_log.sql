-- Who did what to which tenant, from where: append-only, a chain of hashes for each tenant (the nil
-- tenant for the platform itself). The hash covers salted hashes of address and device, not the
-- values, so that both can be erased and the chain still verifies.

CREATE TABLE audit_log (
  tenant_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  event_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  room text NOT NULL,
  actor_kind text NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'support', 'admin', 'system')),
  actor_id uuid,
  action text NOT NULL,
  target_kind text NOT NULL,
  target_id text NOT NULL,
  detail jsonb NOT NULL,
  correlation_id uuid NOT NULL,
  address text,
  address_salt text,
  address_hash text,
  device text,
  device_salt text,
  device_hash text,
  erased_at timestamptz,
  prev_hash text NOT NULL CHECK (prev_hash ~ '^[0-9a-f]{64}$'),
  hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  PRIMARY KEY (tenant_id, seq),
  UNIQUE (tenant_id, event_id)
);

-- Where each chain ends: a cut-off tail is seen by it.
CREATE TABLE audit_heads (
  tenant_id uuid PRIMARY KEY,
  seq bigint NOT NULL CHECK (seq > 0),
  hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$')
);

REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM sinyal_api_gateway;
REVOKE DELETE, TRUNCATE ON audit_heads FROM sinyal_api_gateway;

-- Address, device and their salts may go, all at once and for good; nothing else ever changes.
CREATE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE kept api_gateway.audit_log;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    kept := NEW;
    kept.address := OLD.address;
    kept.address_salt := OLD.address_salt;
    kept.device := OLD.device;
    kept.device_salt := OLD.device_salt;
    kept.erased_at := OLD.erased_at;
    IF kept IS NOT DISTINCT FROM OLD AND NEW.address IS NULL AND NEW.address_salt IS NULL
       AND NEW.device IS NULL AND NEW.device_salt IS NULL THEN
      NEW.erased_at := COALESCE(OLD.erased_at, NEW.erased_at, now());
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit_log();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log();

CREATE FUNCTION refuse_shorter_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.tenant_id = OLD.tenant_id AND NEW.seq = OLD.seq + 1 THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a chain only grows' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON audit_heads
  FOR EACH ROW EXECUTE FUNCTION refuse_shorter_audit_chain();
CREATE TRIGGER only_grows_whole BEFORE TRUNCATE ON audit_heads
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_shorter_audit_chain();

SELECT public.enable_tenant_isolation('api_gateway.audit_log');
SELECT public.enable_tenant_isolation('api_gateway.audit_heads');

-- The erasure of a tenant's personal data here; the entries and their chain stay.
CREATE FUNCTION erase_audit_personal_data(whose uuid, as_of timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = api_gateway, pg_temp AS $$
DECLARE touched int;
BEGIN
  UPDATE audit_log
    SET address = NULL, address_salt = NULL, device = NULL, device_salt = NULL, erased_at = as_of
    WHERE tenant_id = whose AND erased_at IS NULL
      AND (address_hash IS NOT NULL OR device_hash IS NOT NULL);
  GET DIAGNOSTICS touched = ROW_COUNT;
  RETURN touched;
END $$;
REVOKE ALL ON FUNCTION erase_audit_personal_data(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_audit_personal_data(uuid, timestamptz)
  TO sinyal_api_gateway, sinyal_database_service;

-- Which chains there are, for the command that verifies all of them; ids only.
CREATE FUNCTION audit_chains(past uuid, row_limit int) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = api_gateway, pg_temp AS $$
  SELECT tenant_id FROM
    (SELECT tenant_id FROM audit_heads UNION SELECT tenant_id FROM audit_log) AS chains
  WHERE past IS NULL OR tenant_id > past
  ORDER BY tenant_id LIMIT row_limit
$$;
REVOKE ALL ON FUNCTION audit_chains(uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_chains(uuid, int) TO sinyal_api_gateway;
