"""Room card: database_service (port 8008 alone).

Purpose: schemas and migrations of every store, the outbox relay, health of the five databases.
Commands in: RelayOutbox (every minute, from a schedule), Migrate (by a deployment).
Events out: none of its own; the relay publishes what other rooms' transactions left behind.
Tables owned: schema_migrations; reads and deletes rows of every room's outbox.
"""
