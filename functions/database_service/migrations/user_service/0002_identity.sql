-- Members, second factors, one-time tokens, known devices, and tenants that may not come in.

ALTER TABLE users
  ADD COLUMN support boolean NOT NULL DEFAULT false,
  ADD COLUMN locale text NOT NULL DEFAULT 'id' CHECK (locale IN ('id', 'en')),
  ADD COLUMN role_version bigint NOT NULL DEFAULT 0 CHECK (role_version >= 0),
  DROP CONSTRAINT users_status_check,
  ADD CONSTRAINT users_status_check CHECK (status IN ('registered', 'active', 'removed'));

-- Versions count up; closed is for good.
CREATE TABLE tenant_states (
  tenant_id uuid PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('active', 'suspended', 'closed')),
  version bigint NOT NULL CHECK (version >= 1),
  updated_at timestamptz NOT NULL
);

ALTER TABLE sessions
  ADD COLUMN device text CHECK (length(device) <= 200),
  ADD COLUMN address text CHECK (length(address) <= 64),
  ADD COLUMN stepped_up_at timestamptz,
  DROP CONSTRAINT sessions_end_reason_check,
  ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
    'logout', 'refresh_reused', 'password_set', 'ended_by_user', 'too_many', 'member_removed',
    'tenant_suspended', 'tenant_closed'));
CREATE INDEX sessions_alive ON sessions (tenant_id, user_id, created_at) WHERE ended_at IS NULL;

CREATE TABLE known_devices (
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  device_hash bytea NOT NULL CHECK (length(device_hash) = 32),
  last_seen_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, device_hash)
);

-- The secret is sealed by the room (AES-GCM); last_step is the newest time step a code was taken of.
CREATE TABLE totp_factors (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  tenant_id uuid NOT NULL,
  sealed_secret bytea NOT NULL,
  created_at timestamptz NOT NULL,
  confirmed_at timestamptz,
  last_step bigint NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
  used_at timestamptz,
  PRIMARY KEY (user_id, code_hash)
);

-- Links in mails: one of a purpose a user, used once.
CREATE TABLE account_tokens (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('password_reset', 'email_change')),
  new_email text,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  UNIQUE (user_id, purpose),
  CHECK ((new_email IS NOT NULL) = (purpose = 'email_change'))
);
CREATE INDEX account_tokens_expiry ON account_tokens (expires_at);

-- An invitation revoked before it was heard of is a row without an address.
CREATE TABLE invitations (
  invitation_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'accepted', 'revoked')),
  email text,
  role text CHECK (role IN ('owner', 'admin', 'trader', 'viewer')),
  token_hash bytea UNIQUE CHECK (length(token_hash) = 32),
  expires_at timestamptz,
  updated_at timestamptz NOT NULL,
  CHECK (state <> 'open' OR (email IS NOT NULL AND role IS NOT NULL AND token_hash IS NOT NULL
    AND expires_at IS NOT NULL))
);

-- A token in hand names no tenant yet. These say whose it is, and nothing else of it.
CREATE FUNCTION find_token_tenant(hash bytea, wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_service, pg_temp AS $$
  SELECT t.tenant_id FROM user_service.account_tokens t
  WHERE t.token_hash = hash AND t.purpose = wanted
$$;
REVOKE ALL ON FUNCTION find_token_tenant(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_token_tenant(bytea, text) TO sinyal_user_service;

CREATE FUNCTION find_invitation_tenant(hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_service, pg_temp AS $$
  SELECT i.tenant_id FROM user_service.invitations i WHERE i.token_hash = hash
$$;
REVOKE ALL ON FUNCTION find_invitation_tenant(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_invitation_tenant(bytea) TO sinyal_user_service;

SELECT public.enable_tenant_isolation('user_service.tenant_states');
SELECT public.enable_tenant_isolation('user_service.known_devices');
SELECT public.enable_tenant_isolation('user_service.totp_factors');
SELECT public.enable_tenant_isolation('user_service.recovery_codes');
SELECT public.enable_tenant_isolation('user_service.account_tokens');
SELECT public.enable_tenant_isolation('user_service.invitations');
