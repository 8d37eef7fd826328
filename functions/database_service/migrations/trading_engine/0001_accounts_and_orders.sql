-- Accounts of tenants, and what the edge reported of their orders. Prices are int points,
-- volumes hundredths of a lot, money cents of the account's currency.

CREATE SEQUENCE paper_login START 5000001;

CREATE TABLE entitlements (
  tenant_id uuid PRIMARY KEY,
  version bigint NOT NULL,
  tier text NOT NULL,
  paper_accounts int NOT NULL,
  live_accounts int NOT NULL
);

CREATE TABLE accounts (
  tenant_id uuid NOT NULL,
  account_id uuid NOT NULL,
  mode text NOT NULL CHECK (mode IN ('paper', 'live')),
  login bigint NOT NULL,
  server text NOT NULL,
  currency text NOT NULL,
  leverage int NOT NULL CHECK (leverage > 0),
  initial_balance_cents bigint NOT NULL CHECK (initial_balance_cents >= 0),
  risk_per_trade_bp int NOT NULL,
  max_open_positions int NOT NULL,
  max_daily_loss_bp int NOT NULL,
  state text NOT NULL DEFAULT 'linked' CHECK (state IN ('linked', 'unlinked')),
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, account_id),
  UNIQUE (server, login)
);

CREATE TABLE orders (
  tenant_id uuid NOT NULL,
  order_id uuid NOT NULL,
  account_id uuid NOT NULL,
  signal_id uuid NOT NULL,
  symbol text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('buy', 'sell')),
  state text NOT NULL CHECK (state IN ('filled', 'rejected', 'denied')),
  reason text,
  volume int,
  price int,
  stop_loss int,
  take_profit int,
  decided_at timestamptz NOT NULL,
  order_path_us double precision,
  PRIMARY KEY (tenant_id, order_id),
  UNIQUE (tenant_id, signal_id, account_id),
  FOREIGN KEY (tenant_id, account_id) REFERENCES accounts
);
CREATE INDEX orders_by_time ON orders (tenant_id, decided_at DESC, order_id DESC);

CREATE TABLE positions (
  tenant_id uuid NOT NULL,
  order_id uuid NOT NULL,
  account_id uuid NOT NULL,
  symbol text NOT NULL,
  digits int NOT NULL,
  direction text NOT NULL,
  volume int NOT NULL CHECK (volume > 0),
  position_ticket bigint NOT NULL,
  price_open int NOT NULL,
  stop_loss int,
  take_profit int,
  opened_at timestamptz NOT NULL,
  price_close int,
  profit_cents bigint,
  balance_cents bigint,
  close_reason text,
  closed_at timestamptz,
  PRIMARY KEY (tenant_id, order_id),
  UNIQUE (tenant_id, account_id, position_ticket),
  FOREIGN KEY (tenant_id, account_id) REFERENCES accounts,
  CHECK ((closed_at IS NULL) = (profit_cents IS NULL))
);
CREATE INDEX positions_open ON positions (tenant_id, account_id) WHERE closed_at IS NULL;

SELECT public.enable_tenant_isolation('trading_engine.entitlements');
SELECT public.enable_tenant_isolation('trading_engine.accounts');
SELECT public.enable_tenant_isolation('trading_engine.orders');
SELECT public.enable_tenant_isolation('trading_engine.positions');
