-- The life of a tenant: which state follows which is a table, and the database refuses every other
-- step, whoever writes. `version` counts the steps; readers keep the highest they saw.

CREATE TABLE tenant_transitions (
  from_status text NOT NULL,
  to_status text NOT NULL,
  PRIMARY KEY (from_status, to_status)
);
INSERT INTO tenant_transitions (from_status, to_status) VALUES
  ('registered', 'verified'),
  ('registered', 'suspended'),
  ('verified', 'active'),
  ('verified', 'suspended'),
  ('verified', 'closed'),
  ('active', 'verified'),
  ('active', 'suspended'),
  ('active', 'closed'),
  ('suspended', 'registered'),
  ('suspended', 'verified'),
  ('suspended', 'active'),
  ('suspended', 'closed'),
  ('closed', 'erased');
REVOKE INSERT, UPDATE, DELETE ON tenant_transitions FROM sinyal_user_management;

ALTER TABLE tenants
  DROP CONSTRAINT tenants_status_check,
  ADD COLUMN version int NOT NULL DEFAULT 1 CHECK (version >= 1),
  ADD COLUMN resumes_as text CHECK (resumes_as IN ('registered', 'verified', 'active')),
  ADD COLUMN suspension_reason text CHECK (length(suspension_reason) BETWEEN 1 AND 200),
  ADD COLUMN closed_at timestamptz,
  ADD COLUMN erase_after timestamptz,
  ADD COLUMN erasure_asked_at timestamptz,
  ADD COLUMN erased_at timestamptz,
  ADD CONSTRAINT tenants_status CHECK (
    status IN ('registered', 'verified', 'active', 'suspended', 'closed', 'erased')),
  ADD CONSTRAINT tenants_suspension CHECK (
    (status = 'suspended') = (resumes_as IS NOT NULL)
    AND (status = 'suspended') = (suspension_reason IS NOT NULL)),
  ADD CONSTRAINT tenants_closure CHECK (
    (status IN ('closed', 'erased')) = (closed_at IS NOT NULL)
    AND (closed_at IS NULL) = (erase_after IS NULL)
    AND (status = 'erased') = (erased_at IS NOT NULL));
CREATE INDEX tenants_due_erasure ON tenants (erase_after) WHERE status = 'closed';

CREATE FUNCTION check_tenant_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = user_management, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'registered' OR NEW.version <> 1 THEN
      RAISE EXCEPTION 'a tenant begins as registered' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.status = OLD.status THEN
    IF NEW.version <> OLD.version THEN
      RAISE EXCEPTION 'the version counts steps only' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NOT EXISTS (
    SELECT 1 FROM tenant_transitions t
    WHERE t.from_status = OLD.status AND t.to_status = NEW.status
  ) OR (OLD.status = 'suspended' AND NEW.status NOT IN (OLD.resumes_as, 'closed')) THEN
    RAISE EXCEPTION 'a tenant cannot go from % to %', OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.version <> OLD.version + 1 THEN
    RAISE EXCEPTION 'each step counts the version up by one' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tenants_step BEFORE INSERT OR UPDATE ON tenants
  FOR EACH ROW EXECUTE FUNCTION check_tenant_step();
