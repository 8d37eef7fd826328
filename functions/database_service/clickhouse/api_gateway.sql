-- What was asked of the API, one row a request. The key holds no time, so that a row that is sent
-- again replaces itself, requests without a tenant belong to the nil one.
CREATE TABLE IF NOT EXISTS api_requests (
  tenant_id UUID,
  request_id UUID,
  user_id Nullable(UUID),
  method LowCardinality(String),
  route LowCardinality(String),
  status UInt16,
  latency_ms Float64,
  credential LowCardinality(String),
  code LowCardinality(String),
  served_at DateTime64(6, 'UTC'),
  INDEX by_time served_at TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, request_id)
