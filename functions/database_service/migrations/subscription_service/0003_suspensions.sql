-- Tenants that the platform's staff suspended, or let in again: the highest version stands.

CREATE TABLE suspensions (
  tenant_id uuid PRIMARY KEY,
  version int NOT NULL CHECK (version > 0),
  suspended boolean NOT NULL,
  changed_at timestamptz NOT NULL
);

REVOKE DELETE ON suspensions FROM sinyal_subscription_service;

SELECT public.enable_tenant_isolation('subscription_service.suspensions');
