-- Every event of the bus, and the tenants' closed positions.
CREATE TABLE IF NOT EXISTS events (
  tenant_id UUID,
  detail_type LowCardinality(String),
  event_id UUID,
  source LowCardinality(String),
  occurred_at DateTime64(6, 'UTC'),
  correlation_id UUID,
  data String
) ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, detail_type, event_id);

CREATE TABLE IF NOT EXISTS trades (
  tenant_id UUID,
  account_id UUID,
  order_id UUID,
  symbol LowCardinality(String),
  direction LowCardinality(String),
  volume Int32,
  profit_cents Int64,
  balance_cents Int64,
  reason LowCardinality(String),
  opened_at DateTime64(6, 'UTC'),
  closed_at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, account_id, order_id)
