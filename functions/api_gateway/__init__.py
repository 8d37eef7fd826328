"""Room card: api_gateway (port 8000 alone).

Purpose: who may pass, how often, what was asked and who did what. Doors: the REST API's authorizer
    (``authorizer.handler``), ``/v1/health``, ``/v1/health/ready``, ``/v1/docs`` and
    ``/v1/openapi.json`` (open), ``/v1/usage/requests``, ``/v1/audit-log``, the room's queue, and
    ``python -m functions.api_gateway.audit verify``.
Events in: EntitlementsChanged, AccessRevoked, TenantSuspended, TenantReinstated, TenantClosed,
    AuditRecorded; RequestsServed straight from every door.
Events out: none.
Tables owned: tenants, revocations, quota_days, tier_limits, audit_log, audit_heads; ClickHouse
    api_requests; Redis ``{tenant}:gate`` (refilled from PostgreSQL) and ``api-key:<digest>``.
Secrets: ``db/api_gateway``, ``redis``, ``clickhouse``, ``service/api_gateway`` (to ask user_service
    about API keys). Tokens are verified with the public keys that user_service shows.

What is exact: never more than the day's quota passes. A Redis that forgets, or a process that dies
between lease and use, loses at most one block: a sixteenth of what was left, at most 500 requests.
Without Redis a paid tenant's rate holds in each process, not across them; its quota stays exact.
"""
