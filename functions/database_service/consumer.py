"""Queue and schedule door of database_service."""

from typing import Any

from contracts.database_service import Migrate, RelayOutbox
from contracts.envelope import Envelope
from functions.database_service import logic
from functions.database_service.errors import RelayIncomplete
from functions.database_service.migrate import ROOMS, migrate
from functions.database_service.settings import settings
from functions.database_service.store import OutboxStore
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, make_conninfo, open_database
from kit.observability import log
from kit.outbox import BusPublisher, Publisher
from kit.settings import read_secret


def _database() -> Database:
    return open_database("database_service", settings().event_bus_name)


def _publisher() -> Publisher:
    return BusPublisher(settings().event_bus_name)


@own_transactions
def on_relay_outbox(envelope: Envelope, database: Database) -> None:
    """Publish what crashes left behind, one transaction a room.

    Idempotent by nature: a row is deleted in the transaction that saw it published.
    """
    command = envelope.data
    assert isinstance(command, RelayOutbox)
    found_in_all = sent_in_all = 0
    for room in ROOMS:
        with database.transaction(None, cause=envelope.meta) as tx:
            found, sent = logic.relay_outbox(
                OutboxStore(tx, room),
                _publisher().publish,
                tx.now,
                command.min_age_s,
                command.limit,
            )
        found_in_all += found
        sent_in_all += sent
    log("outbox relayed", found=found_in_all, sent=sent_in_all)
    if sent_in_all < found_in_all:
        raise RelayIncomplete(f"{found_in_all - sent_in_all} events wait for the next run")


@own_transactions
def on_migrate(envelope: Envelope, _database: Database) -> None:
    """Bring every schema to this release's version."""
    assert isinstance(envelope.data, Migrate)
    passwords = {room: str(read_secret(f"db/{room}")["password"]) for room in ROOMS}
    applied = migrate(make_conninfo(read_secret("db/admin")), passwords, _clickhouse())
    log("migrations applied", files=applied)


def _clickhouse() -> dict[str, Any]:
    return read_secret("clickhouse")


HANDLERS: Handlers = {RelayOutbox: on_relay_outbox, Migrate: on_migrate}

handler = make_consumer(HANDLERS, lambda: _database())
