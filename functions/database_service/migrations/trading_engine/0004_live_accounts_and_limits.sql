-- Live accounts with sealed passwords, what the edge says of each account, limits that loosen after
-- a day, kill switches, news, and parts of positions. "asked" is the cloud's word, "seen" the edge's.

ALTER TABLE entitlements ADD COLUMN symbols text[], ADD COLUMN max_symbols int;

-- The account of a broker is traded by one link at a time; it can be linked again later.
ALTER TABLE accounts DROP CONSTRAINT accounts_server_login_key;
CREATE UNIQUE INDEX one_link_an_account ON accounts (lower(server), login) WHERE state = 'linked';

ALTER TABLE accounts
  ADD COLUMN sealed_password text,
  ADD COLUMN symbols jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN symbol_suffix text NOT NULL DEFAULT '',
  ADD COLUMN broker_zone text NOT NULL DEFAULT 'America/New_York',
  ADD COLUMN broker_ahead_hours int NOT NULL DEFAULT 7,
  ADD COLUMN pending jsonb,
  ADD COLUMN pending_at timestamptz,
  ADD COLUMN health text CHECK (health IN ('starting', 'connected', 'disconnected', 'hung',
                                           'backing_off', 'circuit_open', 'stopped')),
  ADD COLUMN health_reason text,
  ADD COLUMN health_since timestamptz,
  ADD COLUMN restarts int NOT NULL DEFAULT 0,
  ADD COLUMN differed_as text,
  ADD COLUMN differed_at timestamptz,
  ADD COLUMN resolved_at timestamptz,
  ADD COLUMN latched boolean NOT NULL DEFAULT false,
  ADD COLUMN latch_reason text,
  ADD COLUMN latch_at timestamptz,
  ADD CHECK (state = 'linked' OR sealed_password IS NULL),
  ADD CHECK ((pending IS NULL) = (pending_at IS NULL));
CREATE INDEX accounts_loosening ON accounts (pending_at) WHERE pending IS NOT NULL;

-- The nil account stands for all accounts of the tenant without limits of their own.
CREATE TABLE limits (
  tenant_id uuid NOT NULL,
  account_id uuid NOT NULL,
  version int NOT NULL CHECK (version >= 0),
  settings jsonb NOT NULL,
  changed_at timestamptz NOT NULL,
  pending jsonb,
  pending_at timestamptz,
  PRIMARY KEY (tenant_id, account_id),
  CHECK ((pending IS NULL) = (pending_at IS NULL))
);
CREATE INDEX limits_loosening ON limits (pending_at) WHERE pending IS NOT NULL;

CREATE TABLE kill_switches (
  tenant_id uuid PRIMARY KEY,
  version int NOT NULL DEFAULT 0 CHECK (version >= 0),
  asked boolean NOT NULL DEFAULT false,
  asked_flatten boolean NOT NULL DEFAULT false,
  asked_reason text NOT NULL DEFAULT '',
  asked_at timestamptz,
  seen_version int NOT NULL DEFAULT 0,
  seen boolean NOT NULL DEFAULT false,
  seen_flatten boolean NOT NULL DEFAULT false,
  seen_reason text NOT NULL DEFAULT '',
  seen_at timestamptz
);

-- The same for the whole host: one row, the platform's own.
CREATE TABLE host_switch (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version int NOT NULL DEFAULT 0 CHECK (version >= 0),
  asked boolean NOT NULL DEFAULT false,
  asked_flatten boolean NOT NULL DEFAULT false,
  asked_reason text NOT NULL DEFAULT '',
  asked_at timestamptz,
  seen_version int NOT NULL DEFAULT 0,
  seen boolean NOT NULL DEFAULT false,
  seen_flatten boolean NOT NULL DEFAULT false,
  seen_reason text NOT NULL DEFAULT '',
  seen_at timestamptz
);
INSERT INTO host_switch (one) VALUES (true);

CREATE TABLE news_calendar (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version int NOT NULL DEFAULT 0 CHECK (version >= 0),
  windows jsonb NOT NULL DEFAULT '[]',
  published_at timestamptz
);
INSERT INTO news_calendar (one) VALUES (true);

-- Parts and moves may come before their position's fill or after its end, in any order.
CREATE TABLE reductions (
  tenant_id uuid NOT NULL,
  order_id uuid NOT NULL,
  deal_ticket bigint NOT NULL,
  account_id uuid NOT NULL,
  volume_closed int NOT NULL CHECK (volume_closed > 0),
  volume_left int NOT NULL CHECK (volume_left > 0),
  price int NOT NULL,
  profit_cents bigint NOT NULL,
  reduced_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, order_id, deal_ticket),
  FOREIGN KEY (tenant_id, account_id) REFERENCES accounts
);

CREATE TABLE stop_moves (
  tenant_id uuid NOT NULL,
  order_id uuid NOT NULL,
  account_id uuid NOT NULL,
  stop_loss int NOT NULL,
  take_profit int NOT NULL,
  moved_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, order_id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES accounts
);

REVOKE DELETE ON limits, kill_switches, stop_moves FROM sinyal_trading_engine;
REVOKE UPDATE, DELETE ON reductions FROM sinyal_trading_engine;
REVOKE INSERT, DELETE ON host_switch, news_calendar FROM sinyal_trading_engine;

SELECT public.enable_tenant_isolation('trading_engine.limits');
SELECT public.enable_tenant_isolation('trading_engine.kill_switches');
SELECT public.enable_tenant_isolation('trading_engine.reductions');
SELECT public.enable_tenant_isolation('trading_engine.stop_moves');

-- The clock needs to know which tenants have something to loosen, and nothing else.
CREATE FUNCTION loosening_tenants(at timestamptz, most int) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = trading_engine, pg_temp AS $$
  SELECT tenant_id FROM trading_engine.limits WHERE pending IS NOT NULL AND pending_at <= at
  UNION
  SELECT tenant_id FROM trading_engine.accounts
    WHERE pending IS NOT NULL AND pending_at <= at AND state = 'linked'
  LIMIT least(most, 1000)
$$;
REVOKE ALL ON FUNCTION loosening_tenants(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION loosening_tenants(timestamptz, int) TO sinyal_trading_engine;
