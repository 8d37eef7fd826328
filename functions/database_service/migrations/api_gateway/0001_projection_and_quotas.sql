-- What the authorizer must know when Redis does not: each tenant's state, tier and limits, what was
-- revoked, and how much of each day's quota was handed out. Redis is filled from here.

-- A tier's own limits, for tenants whose grant did not name any. Of the platform, not of a tenant.
CREATE TABLE tier_limits (
  tier text PRIMARY KEY CHECK (tier IN ('free', 'pro', 'enterprise')),
  requests_per_second int NOT NULL CHECK (requests_per_second > 0),
  burst int NOT NULL CHECK (burst > 0),
  requests_per_day int CHECK (requests_per_day > 0)
);
INSERT INTO tier_limits (tier, requests_per_second, burst, requests_per_day) VALUES
  ('free', 1, 5, 1000), ('pro', 10, 50, 50000), ('enterprise', 100, 500, NULL);
REVOKE INSERT, UPDATE, DELETE ON tier_limits FROM sinyal_api_gateway;

-- state_version and entitlements_version count two stories that may arrive in any order; 0: not
-- heard yet. A null requests_per_day beside a tier means: no daily limit.
CREATE TABLE tenants (
  tenant_id uuid PRIMARY KEY,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'suspended', 'closed')),
  state_version int NOT NULL DEFAULT 0 CHECK (state_version >= 0),
  tier text REFERENCES tier_limits,
  entitlements_version int NOT NULL DEFAULT 0 CHECK (entitlements_version >= 0),
  requests_per_second int CHECK (requests_per_second > 0),
  burst int CHECK (burst > 0),
  requests_per_day int CHECK (requests_per_day > 0),
  time_zone text NOT NULL DEFAULT 'Asia/Jakarta',
  updated_at timestamptz NOT NULL,
  CHECK ((tier IS NULL) = (entitlements_version = 0)),
  CHECK ((tier IS NULL) = (requests_per_second IS NULL)),
  CHECK ((tier IS NULL) = (burst IS NULL))
);

CREATE TABLE revocations (
  tenant_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('session', 'user', 'api_key')),
  subject_id uuid NOT NULL,
  before timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, kind, subject_id)
);
CREATE INDEX revocations_expire ON revocations (expires_at);

-- A day is a local date of the tenant. "leased" counts the units handed out, spent or not: it never
-- passes the quota, so neither do the requests of the day. "lease_no" counts the blocks.
CREATE TABLE quota_days (
  tenant_id uuid NOT NULL,
  day date NOT NULL,
  quota int NOT NULL CHECK (quota > 0),
  leased int NOT NULL DEFAULT 0 CHECK (leased >= 0),
  lease_no int NOT NULL DEFAULT 0 CHECK (lease_no >= 0),
  PRIMARY KEY (tenant_id, day),
  CHECK (leased <= quota)
);
CREATE INDEX quota_days_by_day ON quota_days (day);

SELECT public.enable_tenant_isolation('api_gateway.tenants');
SELECT public.enable_tenant_isolation('api_gateway.revocations');
SELECT public.enable_tenant_isolation('api_gateway.quota_days');
