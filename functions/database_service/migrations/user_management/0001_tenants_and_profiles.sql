-- Tenants, their members' profiles, and the single-use tokens that prove an e-mail address.

CREATE TABLE tenants (
  tenant_id uuid PRIMARY KEY,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  status text NOT NULL CHECK (status IN ('registered', 'active')),
  created_at timestamptz NOT NULL
);

CREATE TABLE profiles (
  user_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants,
  email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  full_name text NOT NULL CHECK (length(full_name) BETWEEN 1 AND 120),
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'trader', 'viewer')),
  locale text NOT NULL CHECK (locale IN ('id', 'en')),
  time_zone text NOT NULL,
  created_at timestamptz NOT NULL,
  verified_at timestamptz
);
CREATE INDEX profiles_tenant ON profiles (tenant_id, user_id);

CREATE TABLE verification_tokens (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES profiles,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX verification_tokens_user ON verification_tokens (tenant_id, user_id);

-- Who follows the link of a mail is not signed in. This says whose token it is, and nothing else.
CREATE FUNCTION find_verification_tenant(hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_management, pg_temp AS $$
  SELECT t.tenant_id FROM user_management.verification_tokens t WHERE t.token_hash = hash
$$;
REVOKE ALL ON FUNCTION find_verification_tenant(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_verification_tenant(bytea) TO sinyal_user_management;

SELECT public.enable_tenant_isolation('user_management.tenants');
SELECT public.enable_tenant_isolation('user_management.profiles');
SELECT public.enable_tenant_isolation('user_management.verification_tokens');
