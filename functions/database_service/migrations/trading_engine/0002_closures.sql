-- Tenants that closed for good: no account of theirs is linked again.

CREATE TABLE closures (
  tenant_id uuid PRIMARY KEY,
  closed_at timestamptz NOT NULL
);

REVOKE UPDATE, DELETE ON closures FROM sinyal_trading_engine;

SELECT public.enable_tenant_isolation('trading_engine.closures');
