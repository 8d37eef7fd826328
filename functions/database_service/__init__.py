"""Room card: database_service (port 8008 alone).

Purpose: schemas and migrations of every store, the outbox relay, health of the five databases, the
catalogue of personal data (logic/catalogue.py), tenants' exports and erasures, retention.
Commands in: RelayOutbox (every minute, from a schedule), Migrate (by a deployment), PruneRecords
(daily, from a schedule), EraseTenant (user_management), ExportTenant (its own routes).
Events out: TenantErased, TenantExportReady; the relay publishes what other rooms' transactions left
behind. Commands out: ExportTenant.
Tables owned: schema_migrations, exports, erasures, erasure_steps, retention_rules; beyond them its
role may do what the catalogue says, bound to one tenant, and relay every room's outbox.
"""
