-- Ticks as the edge accepted them, and what each batch read and rejected.
CREATE TABLE IF NOT EXISTS ticks (
  tenant_id UUID,
  symbol LowCardinality(String),
  stream LowCardinality(String),
  tick_no UInt64,
  ts DateTime64(9, 'UTC'),
  bid Int32,
  ask Int32,
  digits UInt8
) ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, symbol, stream, tick_no);

CREATE TABLE IF NOT EXISTS tick_batches (
  tenant_id UUID,
  stream LowCardinality(String),
  sequence UInt64,
  symbol LowCardinality(String),
  read UInt32,
  stored UInt32,
  rejected Map(LowCardinality(String), UInt32)
) ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, stream, sequence)
