-- What tenants took from the stream, window by window as the edge counted it. It is shown, not
-- charged.

CREATE TABLE stream_usage (
  tenant_id uuid NOT NULL,
  edge text NOT NULL,
  window_start timestamptz NOT NULL,
  window_s int NOT NULL CHECK (window_s > 0),
  ticks bigint NOT NULL CHECK (ticks >= 0),
  streams_max int NOT NULL CHECK (streams_max >= 0),
  bytes bigint NOT NULL CHECK (bytes >= 0),
  recorded_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, edge, window_start)
);
CREATE INDEX stream_usage_by_time ON stream_usage (tenant_id, window_start);

REVOKE UPDATE, DELETE ON stream_usage FROM sinyal_subscription_service;

SELECT public.enable_tenant_isolation('subscription_service.stream_usage');
