-- Plans, prices and limits are rows; a published version never changes. Subscriptions own periods
-- that follow each other without a gap, and usage that belongs to exactly one open period.

CREATE TABLE plans (
  code text PRIMARY KEY CHECK (code IN ('free', 'pro', 'enterprise')),
  name text NOT NULL,
  rank int NOT NULL UNIQUE,
  is_default boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX one_default_plan ON plans (is_default) WHERE is_default;

CREATE TABLE plan_versions (
  plan_code text NOT NULL REFERENCES plans,
  version int NOT NULL CHECK (version > 0),
  published_at timestamptz,
  PRIMARY KEY (plan_code, version)
);

CREATE TABLE prices (
  plan_code text NOT NULL,
  plan_version int NOT NULL,
  currency text NOT NULL DEFAULT 'IDR' CHECK (currency = 'IDR'),
  interval_months int NOT NULL DEFAULT 1 CHECK (interval_months = 1),
  amount bigint NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (plan_code, plan_version, currency),
  FOREIGN KEY (plan_code, plan_version) REFERENCES plan_versions
);

CREATE TABLE entitlements (
  plan_code text NOT NULL,
  plan_version int NOT NULL,
  feature text NOT NULL,
  value jsonb NOT NULL,
  PRIMARY KEY (plan_code, plan_version, feature),
  FOREIGN KEY (plan_code, plan_version) REFERENCES plan_versions
);

CREATE TABLE meter_rules (
  plan_code text NOT NULL,
  plan_version int NOT NULL,
  meter text NOT NULL CHECK (meter IN ('prediction', 'llm_insight')),
  quota_window text NOT NULL CHECK (quota_window IN ('day', 'period')),
  quota int CHECK (quota >= 0),
  hard boolean NOT NULL,
  unit_price bigint NOT NULL DEFAULT 0 CHECK (unit_price >= 0),
  PRIMARY KEY (plan_code, plan_version, meter),
  FOREIGN KEY (plan_code, plan_version) REFERENCES plan_versions,
  CHECK (NOT hard OR quota IS NOT NULL),
  CHECK (unit_price = 0 OR (quota_window = 'period' AND NOT hard))
);

CREATE FUNCTION refuse_change_of_published_plan() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE touched record;
BEGIN
  IF TG_OP = 'DELETE' THEN touched := OLD; ELSE touched := NEW; END IF;
  IF EXISTS (SELECT 1 FROM subscription_service.plan_versions v
             WHERE v.plan_code = touched.plan_code AND v.version = touched.plan_version
               AND v.published_at IS NOT NULL) THEN
    RAISE EXCEPTION 'plan % version % is published and never changes',
      touched.plan_code, touched.plan_version USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN touched;
END $$;
CREATE TRIGGER published_prices BEFORE INSERT OR UPDATE OR DELETE ON prices
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_plan();
CREATE TRIGGER published_entitlements BEFORE INSERT OR UPDATE OR DELETE ON entitlements
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_plan();
CREATE TRIGGER published_meter_rules BEFORE INSERT OR UPDATE OR DELETE ON meter_rules
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_plan();

CREATE FUNCTION refuse_unpublishing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.published_at IS NOT NULL THEN
    RAISE EXCEPTION 'plan % version % is published and never changes', OLD.plan_code, OLD.version
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER published_versions BEFORE UPDATE OR DELETE ON plan_versions
  FOR EACH ROW EXECUTE FUNCTION refuse_unpublishing();

INSERT INTO plans (code, name, rank, is_default) VALUES
  ('free', 'Free', 0, true), ('pro', 'Pro', 1, false), ('enterprise', 'Enterprise', 2, false);
INSERT INTO plan_versions (plan_code, version) VALUES ('free', 1), ('pro', 1), ('enterprise', 1);
INSERT INTO prices (plan_code, plan_version, amount) VALUES
  ('free', 1, 0), ('pro', 1, 299000), ('enterprise', 1, 1499000);
INSERT INTO entitlements (plan_code, plan_version, feature, value) VALUES
  ('free', 1, 'symbols', '["EURUSD"]'), ('free', 1, 'max_symbols', '1'),
  ('free', 1, 'prediction_delay_s', '60'), ('free', 1, 'live_accounts', '0'),
  ('free', 1, 'paper_accounts', '3'), ('free', 1, 'stream_symbols', '1'),
  ('free', 1, 'api_requests_per_second', '1'), ('free', 1, 'api_burst', '5'),
  ('free', 1, 'api_requests_per_day', '1000'), ('free', 1, 'llm_chain', 'null'),
  ('pro', 1, 'symbols', '["*"]'), ('pro', 1, 'max_symbols', '10'),
  ('pro', 1, 'prediction_delay_s', '0'), ('pro', 1, 'live_accounts', '1'),
  ('pro', 1, 'paper_accounts', '3'), ('pro', 1, 'stream_symbols', '10'),
  ('pro', 1, 'api_requests_per_second', '10'), ('pro', 1, 'api_burst', '50'),
  ('pro', 1, 'api_requests_per_day', '50000'), ('pro', 1, 'llm_chain', '"fast"'),
  ('enterprise', 1, 'symbols', '["*"]'), ('enterprise', 1, 'max_symbols', 'null'),
  ('enterprise', 1, 'prediction_delay_s', '0'), ('enterprise', 1, 'live_accounts', '10'),
  ('enterprise', 1, 'paper_accounts', '10'), ('enterprise', 1, 'stream_symbols', 'null'),
  ('enterprise', 1, 'api_requests_per_second', '100'), ('enterprise', 1, 'api_burst', '500'),
  ('enterprise', 1, 'api_requests_per_day', 'null'), ('enterprise', 1, 'llm_chain', '"deep"');
INSERT INTO meter_rules (plan_code, plan_version, meter, quota_window, quota, hard, unit_price)
VALUES
  ('free', 1, 'prediction', 'day', 20, true, 0),
  ('pro', 1, 'prediction', 'day', 1000, true, 0),
  ('pro', 1, 'llm_insight', 'period', 50, true, 0),
  ('enterprise', 1, 'prediction', 'day', NULL, false, 0),
  ('enterprise', 1, 'llm_insight', 'period', 1000, false, 1500);
UPDATE plan_versions SET published_at = now();

CREATE TABLE subscriptions (
  tenant_id uuid NOT NULL,
  subscription_id uuid PRIMARY KEY,
  plan_code text NOT NULL,
  plan_version int NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'canceled', 'ended')),
  anchor_at timestamptz NOT NULL,
  time_zone text NOT NULL,
  pending_plan text REFERENCES plans,
  paid_until timestamptz,
  created_at timestamptz NOT NULL,
  FOREIGN KEY (plan_code, plan_version) REFERENCES plan_versions,
  UNIQUE (tenant_id, subscription_id)
);
CREATE UNIQUE INDEX one_living_subscription ON subscriptions (tenant_id) WHERE state <> 'ended';

-- What was granted, version by version; the highest is in force.
CREATE TABLE grants (
  tenant_id uuid NOT NULL,
  version int NOT NULL CHECK (version > 0),
  entitlements jsonb NOT NULL,
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, version)
);

-- "follows" names the end of the period before: no gaps, no overlaps. plan_* is what the period is
-- billed by: never less than used_plan_*, the dearest plan that was used in it. uses_before counts
-- what was used before the tenant's present plan began.
CREATE TABLE periods (
  tenant_id uuid NOT NULL,
  period_id uuid PRIMARY KEY,
  subscription_id uuid NOT NULL,
  number int NOT NULL CHECK (number >= 0),
  follows timestamptz,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  plan_code text NOT NULL,
  plan_version int NOT NULL,
  used_plan_code text,
  used_plan_version int,
  uses_before int NOT NULL DEFAULT 0 CHECK (uses_before >= 0),
  state text NOT NULL CHECK (state IN ('open', 'closed')),
  run_id uuid,
  closed_at timestamptz,
  paid_at timestamptz,
  CHECK (starts_at < ends_at),
  CHECK ((number = 0) = (follows IS NULL)),
  CHECK (follows IS NULL OR follows = starts_at),
  CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
  UNIQUE (subscription_id, number),
  UNIQUE (subscription_id, starts_at),
  UNIQUE (subscription_id, ends_at),
  UNIQUE (tenant_id, period_id),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions (tenant_id, subscription_id),
  FOREIGN KEY (subscription_id, follows) REFERENCES periods (subscription_id, ends_at),
  FOREIGN KEY (plan_code, plan_version) REFERENCES plan_versions,
  FOREIGN KEY (used_plan_code, used_plan_version) REFERENCES plan_versions
);
CREATE INDEX periods_due ON periods (ends_at, period_id) WHERE state = 'open';

CREATE FUNCTION refuse_change_of_closed_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'closed' AND (TG_OP = 'DELETE' OR to_jsonb(OLD) - 'paid_at' <>
                               to_jsonb(NEW) - 'paid_at') THEN
    RAISE EXCEPTION 'period % is closed', OLD.period_id USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER closed_period BEFORE UPDATE OR DELETE ON periods
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_closed_period();

-- Usage without a period came after the subscription's end: kept, never billed.
CREATE TABLE usage_events (
  tenant_id uuid NOT NULL,
  idempotency_key uuid NOT NULL,
  meter text NOT NULL CHECK (meter IN ('prediction', 'llm_insight')),
  outcome text NOT NULL CHECK (outcome IN ('counted', 'over_limit')),
  payload_hash text NOT NULL,
  occurred_at timestamptz NOT NULL,
  day date NOT NULL,
  period_id uuid,
  recorded_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, idempotency_key),
  CHECK (period_id IS NOT NULL OR outcome = 'over_limit'),
  FOREIGN KEY (tenant_id, period_id) REFERENCES periods (tenant_id, period_id)
);
CREATE INDEX usage_by_period ON usage_events (tenant_id, period_id, meter);

CREATE FUNCTION refuse_usage_in_closed_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found_state text;
BEGIN
  IF NEW.period_id IS NULL THEN RETURN NEW; END IF;
  SELECT state INTO found_state FROM subscription_service.periods
    WHERE period_id = NEW.period_id FOR SHARE;
  IF found_state IS DISTINCT FROM 'open' THEN
    RAISE EXCEPTION 'period % takes no usage', NEW.period_id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER usage_needs_open_period BEFORE INSERT ON usage_events
  FOR EACH ROW EXECUTE FUNCTION refuse_usage_in_closed_period();

CREATE TABLE quota_counters (
  tenant_id uuid NOT NULL,
  meter text NOT NULL CHECK (meter IN ('prediction', 'llm_insight')),
  window_start date NOT NULL,
  quota int CHECK (quota >= 0),
  hard boolean NOT NULL,
  used int NOT NULL DEFAULT 0 CHECK (used >= 0),
  over_limit int NOT NULL DEFAULT 0 CHECK (over_limit >= 0),
  announced_quota int,
  PRIMARY KEY (tenant_id, meter, window_start),
  CONSTRAINT quota_is_a_limit CHECK (NOT hard OR used <= quota),
  CHECK (NOT hard OR quota IS NOT NULL)
);

-- The billing run's only look across tenants: which open periods are over.
CREATE FUNCTION due_periods(as_of timestamptz, after_end timestamptz, after_id uuid, most int)
RETURNS TABLE (tenant_id uuid, period_id uuid, ends_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = subscription_service, pg_temp AS $$
  SELECT p.tenant_id, p.period_id, p.ends_at FROM subscription_service.periods p
  WHERE p.state = 'open' AND p.ends_at <= as_of AND (p.ends_at, p.period_id) > (after_end, after_id)
  ORDER BY p.ends_at, p.period_id LIMIT least(most, 500)
$$;
REVOKE ALL ON FUNCTION due_periods(timestamptz, timestamptz, uuid, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_periods(timestamptz, timestamptz, uuid, int)
  TO sinyal_subscription_service;

REVOKE INSERT, UPDATE, DELETE ON plans, plan_versions, prices, entitlements, meter_rules
  FROM sinyal_subscription_service;
REVOKE UPDATE, DELETE ON usage_events, grants FROM sinyal_subscription_service;
REVOKE DELETE ON subscriptions, periods, quota_counters FROM sinyal_subscription_service;

SELECT public.enable_tenant_isolation('subscription_service.subscriptions');
SELECT public.enable_tenant_isolation('subscription_service.grants');
SELECT public.enable_tenant_isolation('subscription_service.periods');
SELECT public.enable_tenant_isolation('subscription_service.usage_events');
SELECT public.enable_tenant_isolation('subscription_service.quota_counters');
