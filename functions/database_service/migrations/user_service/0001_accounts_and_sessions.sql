-- Who may sign in, their sessions (a refresh token family each), and each tenant's tier.

CREATE TABLE users (
  user_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email = btrim(email)),
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'trader', 'viewer')),
  status text NOT NULL CHECK (status IN ('registered', 'active')),
  platform_admin boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  verified_at timestamptz
);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE INDEX users_tenant ON users (tenant_id, user_id);

CREATE TABLE tenant_tiers (
  tenant_id uuid PRIMARY KEY,
  tier text NOT NULL CHECK (tier IN ('free', 'pro', 'enterprise')),
  version bigint NOT NULL CHECK (version >= 1),
  updated_at timestamptz NOT NULL
);

CREATE TABLE sessions (
  session_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users,
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text CHECK (end_reason IN ('logout', 'refresh_reused', 'password_set')),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_user ON sessions (tenant_id, user_id);

CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  tenant_id uuid NOT NULL,
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- Counted by address, known or not, so that a refusal tells nothing about who has an account.
CREATE TABLE login_attempts (
  address_hash bytea PRIMARY KEY CHECK (length(address_hash) = 32),
  failures int NOT NULL CHECK (failures >= 1),
  last_at timestamptz NOT NULL,
  blocked_until timestamptz
);
CREATE INDEX login_attempts_last_at ON login_attempts (last_at);

-- At sign-in no tenant is known yet. These two say whose row it is, and nothing else of it.
CREATE FUNCTION find_credentials(address text)
RETURNS TABLE (tenant_id uuid, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_service, pg_temp AS $$
  SELECT u.tenant_id, u.user_id FROM user_service.users u WHERE u.email = address
$$;
REVOKE ALL ON FUNCTION find_credentials(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_credentials(text) TO sinyal_user_service;

CREATE FUNCTION find_refresh_tenant(hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_service, pg_temp AS $$
  SELECT t.tenant_id FROM user_service.refresh_tokens t WHERE t.token_hash = hash
$$;
REVOKE ALL ON FUNCTION find_refresh_tenant(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_refresh_tenant(bytea) TO sinyal_user_service;

SELECT public.enable_tenant_isolation('user_service.users');
SELECT public.enable_tenant_isolation('user_service.tenant_tiers');
SELECT public.enable_tenant_isolation('user_service.sessions');
SELECT public.enable_tenant_isolation('user_service.refresh_tokens');
