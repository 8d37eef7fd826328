-- API keys: what is left of a key once it was shown, whose it is, and what it may do.

-- A key opens nothing from ended_at on, which lies ahead while a rotated key is still honoured.
CREATE TABLE api_keys (
  key_id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
  prefix text NOT NULL UNIQUE CHECK (length(prefix) <= 40),
  key_hash bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
  scopes text[] NOT NULL CHECK (
    cardinality(scopes) BETWEEN 1 AND 3 AND scopes <@ ARRAY['read', 'trade', 'billing']),
  requests_per_second int CHECK (requests_per_second BETWEEN 1 AND 1000),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  ended_at timestamptz,
  end_reason text CHECK (end_reason IN ('revoked', 'rotated', 'member_removed', 'tenant_closed')),
  replaced_by uuid UNIQUE,
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK (expires_at > created_at AND expires_at <= created_at + interval '366 days')
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at, key_id);
CREATE INDEX api_keys_user ON api_keys (user_id);

-- A key in hand names no tenant yet. This says whose it is, to who holds it, and nothing else.
CREATE FUNCTION find_api_key(hash bytea) RETURNS TABLE (tenant_id uuid, key_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = user_service, pg_temp AS $$
  SELECT k.tenant_id, k.key_id FROM user_service.api_keys k WHERE k.key_hash = hash
$$;
REVOKE ALL ON FUNCTION find_api_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key(bytea) TO sinyal_user_service;

SELECT public.enable_tenant_isolation('user_service.api_keys');
