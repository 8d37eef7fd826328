-- Members of a tenant: one owner at every commit, versioned roles, and invitations of which only
-- the token's hash is kept. Mails that strangers can cause are counted in mail_slots.

ALTER TABLE profiles
  ADD COLUMN version int NOT NULL DEFAULT 1 CHECK (version >= 1),
  ADD COLUMN email_changed_at timestamptz;
CREATE INDEX profiles_email ON profiles (email);
CREATE UNIQUE INDEX profiles_one_owner ON profiles (tenant_id) WHERE role = 'owner';

-- The index refuses a second owner; this refuses the loss of the only one, when the work commits.
CREATE FUNCTION check_tenant_has_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = user_management, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM tenants t WHERE t.tenant_id = OLD.tenant_id
             AND t.status NOT IN ('closed', 'erased'))
     AND NOT EXISTS (SELECT 1 FROM profiles p
                     WHERE p.tenant_id = OLD.tenant_id AND p.role = 'owner') THEN
    RAISE EXCEPTION 'a tenant always has an owner' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION check_tenant_has_owner() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_tenant_has_owner() TO sinyal_user_management;
CREATE CONSTRAINT TRIGGER profiles_have_owner AFTER UPDATE OR DELETE ON profiles
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.role = 'owner')
  EXECUTE FUNCTION check_tenant_has_owner();

ALTER TABLE verification_tokens
  DROP CONSTRAINT verification_tokens_user_id_fkey,
  ADD CONSTRAINT verification_tokens_user FOREIGN KEY (user_id) REFERENCES profiles
    ON DELETE CASCADE;

CREATE TABLE invitations (
  invitation_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants,
  email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  role text NOT NULL CHECK (role IN ('admin', 'trader', 'viewer')),
  token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  invited_by uuid NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  accepted_at timestamptz,
  revoked_at timestamptz,
  CHECK (accepted_at IS NULL OR revoked_at IS NULL)
);
CREATE INDEX invitations_tenant ON invitations (tenant_id, invitation_id);
CREATE UNIQUE INDEX invitations_one_open ON invitations (tenant_id, email)
  WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- How often a mail went to whom, known or not: the key is a keyed hash and tells nobody's address.
CREATE TABLE mail_slots (
  key_hash bytea PRIMARY KEY CHECK (length(key_hash) = 32),
  window_began_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  sent int NOT NULL CHECK (sent >= 1)
);
CREATE INDEX mail_slots_last_at ON mail_slots (last_at);

-- Who asks for another mail is not signed in. This says whose unproven address it is, only that.
CREATE FUNCTION find_unverified(address text) RETURNS TABLE (tenant_id uuid, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_management, pg_temp AS $$
  SELECT p.tenant_id, p.user_id FROM user_management.profiles p
  WHERE p.email = address AND p.verified_at IS NULL
  ORDER BY p.created_at DESC, p.user_id LIMIT 5
$$;
REVOKE ALL ON FUNCTION find_unverified(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_unverified(text) TO sinyal_user_management;

SELECT public.enable_tenant_isolation('user_management.invitations');
