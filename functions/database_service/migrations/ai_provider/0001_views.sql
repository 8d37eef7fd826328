-- Replies, costs and views of language models. All of it is the platform's: no tenant's rows.
-- Costs are integer pico-dollars (1e-12 USD): a price of 1 USD a million tokens is 1,000,000 a token.

CREATE TABLE prices (
  provider text NOT NULL,
  model text NOT NULL,
  endpoint text NOT NULL,
  service_tier text NOT NULL,
  token_class text NOT NULL CHECK (token_class IN ('input', 'cache_read', 'output')),
  usd_per_mtok numeric(18, 6) NOT NULL CHECK (usd_per_mtok >= 0),
  valid_from timestamptz NOT NULL,
  source text NOT NULL,
  PRIMARY KEY (provider, model, endpoint, service_tier, token_class, valid_from)
);
COMMENT ON TABLE prices IS 'The newest row that is valid by now counts, so rows cannot overlap.';

INSERT INTO prices VALUES
  ('openai', 'gpt-6-luna', 'chat.completions', 'default', 'input', 0.250000,
   '2014-01-01T00:00:00Z', 'planning figure, to be replaced by the contract''s price list'),
  ('openai', 'gpt-6-luna', 'chat.completions', 'default', 'cache_read', 0.025000,
   '2014-01-01T00:00:00Z', 'planning figure, to be replaced by the contract''s price list'),
  ('openai', 'gpt-6-luna', 'chat.completions', 'default', 'output', 2.000000,
   '2014-01-01T00:00:00Z', 'planning figure, to be replaced by the contract''s price list');

CREATE TABLE budgets (
  scope text PRIMARY KEY,
  monthly_cap_picodollars bigint NOT NULL CHECK (monthly_cap_picodollars >= 0)
);
INSERT INTO budgets VALUES ('platform', 50000000000000), ('agent:reviewer', 20000000000000);

CREATE TABLE budget_months (
  scope text NOT NULL REFERENCES budgets,
  month date NOT NULL,
  reserved_picodollars bigint NOT NULL DEFAULT 0 CHECK (reserved_picodollars >= 0),
  spent_picodollars bigint NOT NULL DEFAULT 0 CHECK (spent_picodollars >= 0),
  PRIMARY KEY (scope, month)
);

CREATE TABLE requests (
  event_id uuid PRIMARY KEY,
  as_of timestamptz NOT NULL
);

CREATE TABLE attempts (
  attempt_id uuid PRIMARY KEY,
  request_hash text NOT NULL CHECK (length(request_hash) = 64),
  provider text NOT NULL,
  model text NOT NULL,
  agent text NOT NULL,
  month date NOT NULL,
  state text NOT NULL DEFAULT 'reserved'
    CHECK (state IN ('reserved', 'settled', 'failed', 'unknown')),
  reserved_picodollars bigint NOT NULL CHECK (reserved_picodollars >= 0),
  cost_picodollars bigint CHECK (cost_picodollars >= 0),
  usage_reported boolean,
  error_code text,
  started_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX attempts_by_month ON attempts (month, state);

CREATE TABLE replies (
  request_hash text PRIMARY KEY CHECK (length(request_hash) = 64),
  attempt_id uuid NOT NULL REFERENCES attempts,
  raw text NOT NULL,
  cost_picodollars bigint NOT NULL,
  received_at timestamptz NOT NULL
);

CREATE TABLE views (
  view_id uuid PRIMARY KEY,
  request_hash text NOT NULL UNIQUE REFERENCES replies,
  agent text NOT NULL,
  symbol text NOT NULL,
  stance text NOT NULL,
  confidence double precision NOT NULL,
  size_factor double precision NOT NULL,
  veto boolean NOT NULL,
  rationale text NOT NULL,
  as_of timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  published_at timestamptz NOT NULL
);
