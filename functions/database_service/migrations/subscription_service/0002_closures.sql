-- Tenants that closed for good: whatever still arrives for one starts or renews nothing.

CREATE TABLE closures (
  tenant_id uuid PRIMARY KEY,
  closed_at timestamptz NOT NULL
);

REVOKE UPDATE, DELETE ON closures FROM sinyal_subscription_service;

SELECT public.enable_tenant_isolation('subscription_service.closures');
