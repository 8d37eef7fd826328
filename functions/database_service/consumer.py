"""Queue and schedule door of database_service."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from contracts.database_service import (
    ExportTenant,
    Migrate,
    PruneRecords,
    RelayOutbox,
    TenantErased,
    TenantExportReady,
)
from contracts.envelope import Envelope, Meta
from contracts.ids import derived_id
from contracts.user_management import EraseTenant
from functions.database_service import logic
from functions.database_service.errors import ArchiveTooLarge, RelayIncomplete, SweepsIncomplete
from functions.database_service.gateway import ArchiveBucket, TenantKeys, TenantObjects
from functions.database_service.logic.archive import Archive, Part, write_archive
from functions.database_service.logic.catalogue import CLICKHOUSE, PROOF, TABLES
from functions.database_service.logic.erasure import OutsideStore, erase_tenant, list_steps
from functions.database_service.migrate import migrate
from functions.database_service.models import ROOMS, StoreName, Swept
from functions.database_service.settings import settings
from functions.database_service.store import (
    AnalyticsRows,
    ErasureLedger,
    ExportStore,
    OutboxStore,
    RetentionStore,
    TenantRows,
)
from kit.analytics import open_analytics
from kit.cache import open_redis
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, Transaction, make_conninfo, open_database
from kit.errors import PoisonMessage, SinyalError
from kit.observability import log, warn
from kit.outbox import BusPublisher, Publisher
from kit.settings import read_secret

EXPORT_LIFE = timedelta(days=7)
EXPORT_STALE_AFTER = timedelta(hours=6)
"""Four tries of an export are over by then, each with its visibility timeout."""
SWEEP_AGAIN_AFTER = timedelta(hours=20)
SWEEP_FOR = timedelta(days=20)
"""A dead letter can be sent again for 14 days after the 4 in its queue."""
SWEEPS_A_RUN = 20
EXPORTS_A_RUN = 200
ROWS_A_BATCH = 1_000
TENANT_EVENTS_MAX = 500


def _database() -> Database:
    return open_database("database_service", settings().event_bus_name)


def _publisher() -> Publisher:
    return BusPublisher(settings().event_bus_name)


def _bucket() -> ArchiveBucket:
    return ArchiveBucket(settings().exports_bucket)


def _require_tenant(envelope: Envelope) -> UUID:
    if envelope.meta.tenant_id is None:
        raise PoisonMessage(f"{envelope.detail_type} names no tenant")
    return envelope.meta.tenant_id


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
            outbox, publish = OutboxStore(tx, room), _publisher().publish
            found, sent = logic.relay_outbox(
                outbox, publish, tx.now, command.min_age_s, command.limit
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
    admin, clickhouse = make_conninfo(read_secret("db/admin")), read_secret("clickhouse")
    log("migrations applied", files=migrate(admin, passwords, clickhouse))


def _erase_rows(ledger: ErasureLedger) -> None:
    """Erase in PostgreSQL and note it: all of it happens, or nothing."""
    with ledger.open() as (tx, erasure):
        rows = TenantRows(tx)
        rows.allow_time()
        swept = [
            rows.apply(rule)
            for rule in list_steps(TABLES, rows.list_references())
            if rule.reason != PROOF
        ]
        found = Swept(sum(s.erased for s in swept), sum(s.kept for s in swept))
        erasure.note(ledger.sweep, "postgresql", found)
        erasure.finish(ledger.sweep, "postgresql")


def _announce(ledger: ErasureLedger) -> None:
    """Tell that the tenant is erased, under one event id however often it is told."""
    erasure_id = ledger.erasure_id
    with ledger.open() as (tx, erasure):
        found = erasure.read_totals()
        tx.publish(
            TenantErased(erasure_id=erasure_id, rows_erased=found.erased, rows_kept=found.kept),
            event_id=derived_id("tenant-erased", erasure_id),
        )


def _send_off(database: Database, tenant_id: UUID, cause: Meta) -> None:
    """Publish what waits of the tenant in any outbox; what it brings back a later sweep takes."""
    for room in ROOMS:
        with database.transaction(None, cause=cause) as tx:
            outbox = OutboxStore(tx, room)
            rows = outbox.lock_of_tenant(tenant_id, TENANT_EVENTS_MAX)
            sent = _publisher().publish(rows) if rows else []
            outbox.delete(sent)
        if len(sent) < len(rows) or len(rows) == TENANT_EVENTS_MAX:
            raise RelayIncomplete("events of the tenant wait for the next run")


def _sweep(database: Database, tenant_id: UUID, erasure_id: UUID, cause: Meta) -> ErasureLedger:
    ledger = ErasureLedger(database, tenant_id, erasure_id, cause)
    outside: dict[StoreName, OutsideStore] = {
        "clickhouse": AnalyticsRows(open_analytics(), tenant_id, CLICKHOUSE),
        "redis": TenantKeys(open_redis(), tenant_id),
        "s3": TenantObjects(_bucket(), tenant_id),
    }
    erase_tenant(ledger, lambda: _erase_rows(ledger), outside)
    return ledger


@own_transactions
def on_erase_tenant(envelope: Envelope, database: Database) -> None:
    """Erase a closed tenant in every store.

    Idempotent by erasure_id: a delivery after a crash goes on where it stopped, one after the end
    sweeps again and tells it again under the same event id.
    """
    command = envelope.data
    assert isinstance(command, EraseTenant)
    tenant_id = _require_tenant(envelope)
    _send_off(database, tenant_id, envelope.meta)
    _announce(_sweep(database, tenant_id, command.erasure_id, envelope.meta))
    log("tenant erased", erasure_id=str(command.erasure_id))


def _list_parts(tx: Transaction, tenant_id: UUID) -> Iterator[Part]:
    rows = TenantRows(tx)
    rows.allow_time()
    for rule in TABLES:
        yield Part(f"postgresql/{rule.table}.jsonl", rows.read(rule))
    analytics = AnalyticsRows(open_analytics(), tenant_id, CLICKHOUSE)
    for rule in CLICKHOUSE:
        yield Part(f"clickhouse/{rule.table}.jsonl", analytics.read(rule))


@own_transactions
def on_export_tenant(envelope: Envelope, database: Database) -> None:
    """Gather a tenant's data, store the archive, and tell who asked for it.

    Idempotent by export_id: an export that is done is left alone, one that was cut off is made
    anew under the same key.
    """
    command = envelope.data
    assert isinstance(command, ExportTenant)
    tenant_id, export_id = _require_tenant(envelope), command.export_id
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        export = ExportStore(tx).find(export_id)
    if export is None or export.status != "running":
        log("nothing to export", export_id=str(export_id))
        return
    key = ArchiveBucket.make_key(tenant_id, export_id)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.zip"
        try:
            with database.transaction(tenant_id, cause=envelope.meta) as tx:
                archive = write_archive(path, tenant_id, tx.now, _list_parts(tx, tenant_id))
        except ArchiveTooLarge as error:
            with database.transaction(tenant_id, cause=envelope.meta) as tx:
                ExportStore(tx).fail(export_id, error.code)
            return
        _bucket().upload(path, key)
    with database.transaction(tenant_id, cause=envelope.meta) as tx:
        waited_for = _finish_export(tx, export_id, archive)
    if not waited_for:
        _bucket().remove(key)


def _finish_export(tx: Transaction, export_id: UUID, archive: Archive) -> bool:
    """Note the archive and tell it; False when the export was given up or erased meanwhile."""
    store, expires_at = ExportStore(tx), tx.now + EXPORT_LIFE
    user_id = store.finish(export_id, archive, expires_at)
    if user_id is None:
        return False
    contact = store.find_contact(user_id)
    if contact is not None:
        tx.publish(
            TenantExportReady(
                export_id=export_id,
                user_id=user_id,
                email=contact.email,
                locale=contact.locale,
                expires_at=expires_at,
            )
        )
    return True


@own_transactions
def on_prune_records(envelope: Envelope, database: Database) -> None:
    """Drop records past their age, archives past their life, and what came after an erasure.

    Idempotent by nature: what is gone is not found again.
    """
    command = envelope.data
    assert isinstance(command, PruneRecords)
    with database.transaction(None, cause=envelope.meta) as tx:
        tables = RetentionStore(tx).list_rules()
    removed = {table: _prune(database, table, command.limit) for table in tables}
    exports = _drop_exports(database, envelope.meta)
    with database.transaction(None, cause=envelope.meta) as tx:
        due = RetentionStore(tx).list_due_sweeps(
            tx.now - SWEEP_FOR, tx.now - SWEEP_AGAIN_AFTER, SWEEPS_A_RUN
        )
    failed = [pair for pair in due if not _sweep_again(database, *pair, envelope.meta)]
    log("records pruned", rows=sum(removed.values()), exports=exports, sweeps=len(due))
    if failed:
        raise SweepsIncomplete(f"{len(failed)} of {len(due)} erasures could not be swept again")


def _sweep_again(database: Database, tenant_id: UUID, erasure_id: UUID, cause: Meta) -> bool:
    """Sweep after late messages; False when it could not be done, which holds no other up."""
    try:
        _sweep(database, tenant_id, erasure_id, cause)
    except SinyalError as error:
        warn("sweep failed", erasure_id=str(erasure_id), code=error.code, detail=error.detail)
        return False
    return True


def _prune(database: Database, table: str, limit: int) -> int:
    """Remove at most ``limit`` rows of a table, a batch a transaction."""
    removed = 0
    while removed < limit:
        batch = min(ROWS_A_BATCH, limit - removed)
        with database.transaction(None) as tx:
            found = RetentionStore(tx).prune(table, batch)
        removed += found
        if found < batch:
            break
    return removed


def _drop_exports(database: Database, cause: Meta) -> int:
    with database.transaction(None, cause=cause) as tx:
        due = RetentionStore(tx).list_due_exports(tx.now - EXPORT_STALE_AFTER, EXPORTS_A_RUN)
    for tenant_id, export_id in due:
        _bucket().remove(ArchiveBucket.make_key(tenant_id, export_id))
        with database.transaction(tenant_id, cause=cause) as tx:
            store = ExportStore(tx)
            store.expire(export_id)
            store.fail(export_id, "cut_off")
    return len(due)


HANDLERS: Handlers = {
    RelayOutbox: on_relay_outbox,
    Migrate: on_migrate,
    ExportTenant: on_export_tenant,
    EraseTenant: on_erase_tenant,
    PruneRecords: on_prune_records,
}

handler = make_consumer(HANDLERS, lambda: _database())
