-- Decisions are the platform's (one a bar, for ever); a tenant sees one only through its delivery.

CREATE TABLE active_models (
  symbol text NOT NULL,
  timeframe text NOT NULL,
  generation int NOT NULL,
  model_id uuid NOT NULL,
  version text NOT NULL,
  artifact_key text NOT NULL,
  card_key text NOT NULL,
  sha256 text NOT NULL,
  card_sha256 text NOT NULL,
  feature_set text NOT NULL,
  PRIMARY KEY (symbol, timeframe)
);

CREATE TABLE views (
  view_id uuid PRIMARY KEY,
  agent text NOT NULL,
  symbol text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  stance text NOT NULL CHECK (stance IN ('bullish', 'bearish', 'neutral')),
  confidence double precision NOT NULL,
  size_factor double precision NOT NULL CHECK (size_factor BETWEEN 0 AND 1),
  veto boolean NOT NULL,
  rationale text NOT NULL,
  as_of timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX views_live ON views (symbol, expires_at);

CREATE TABLE decisions (
  decision_id uuid PRIMARY KEY,
  bar_id uuid NOT NULL UNIQUE,
  signal_id uuid UNIQUE,
  symbol text NOT NULL,
  digits int NOT NULL,
  timeframe text NOT NULL,
  as_of timestamptz NOT NULL,
  reason text,
  direction text CHECK (direction IN ('buy', 'sell')),
  probability double precision,
  size_factor double precision,
  stop_distance int,
  target_distance int,
  horizon_s int,
  expires_at timestamptz,
  model_version text,
  latency_us double precision NOT NULL,
  trace jsonb NOT NULL,
  decided_at timestamptz NOT NULL,
  CHECK ((signal_id IS NULL) = (reason IS NOT NULL))
);
CREATE INDEX decisions_by_time ON decisions (decided_at DESC, as_of DESC);

CREATE TABLE deliveries (
  tenant_id uuid NOT NULL,
  signal_id uuid NOT NULL,
  visible_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, signal_id)
);
SELECT public.enable_tenant_isolation('ai_orchestration.deliveries');
