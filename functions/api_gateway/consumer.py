"""Queue door of api_gateway: tenants' limits and states, ended access, audit, the request log.

PostgreSQL commits first. Redis is told right after; when it does not answer, the message comes back
and both are written again: every handler is idempotent by versions, instants or event ids.
"""

from uuid import UUID

from contracts.api_gateway import RequestsServed
from contracts.audit import AuditRecorded
from contracts.envelope import Envelope
from contracts.ids import NIL
from contracts.subscription_service import EntitlementsChanged
from contracts.user_management import TenantClosed, TenantReinstated, TenantSuspended
from contracts.user_service import AccessRevoked
from functions.api_gateway.logic.chain import Said, append_entry
from functions.api_gateway.models import Mark, TenantState
from functions.api_gateway.settings import settings
from functions.api_gateway.store.audit import AuditStore
from functions.api_gateway.store.gate import Gate, open_gate_redis
from functions.api_gateway.store.requests import RequestStore
from functions.api_gateway.store.tenants import TenantStore
from kit.analytics import Analytics, open_analytics
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, Transaction, open_database
from kit.errors import PoisonMessage
from kit.settings import read_secret


def _database() -> Database:
    return open_database("api_gateway", settings().event_bus_name)


def _gate() -> Gate:
    return Gate(lambda: open_gate_redis(str(read_secret("redis")["url"])))


def _analytics() -> Analytics:
    return open_analytics()


def _tenant_of(envelope: Envelope) -> UUID:
    """Whom the message is about. Raises PoisonMessage when it is about nobody."""
    if envelope.meta.tenant_id is None:
        raise PoisonMessage(f"{envelope.detail_type} is about a tenant and names none")
    return envelope.meta.tenant_id


def _tell_gate(tx: Transaction, mark: Mark | None = None) -> None:
    """Write the tenant's standing to Redis, from the committed rows."""
    assert tx.tenant_id is not None
    standing = TenantStore(tx).read_standing("free")
    _gate().tell(tx.tenant_id, standing, [mark] if mark else [])


@own_transactions
def keep_entitlements(envelope: Envelope, database: Database) -> None:
    """A tenant has other limits from here on, at once."""
    data = envelope.data
    assert isinstance(data, EntitlementsChanged)
    with database.transaction(_tenant_of(envelope)) as tx:
        TenantStore(tx).set_entitlements(data.version, data.tier, data.api, data.time_zone)
    with database.transaction(_tenant_of(envelope)) as tx:
        _tell_gate(tx)


@own_transactions
def keep_state(envelope: Envelope, database: Database) -> None:
    """A tenant is suspended, open again, or closed."""
    data = envelope.data
    assert isinstance(data, TenantSuspended | TenantReinstated | TenantClosed)
    states: dict[type, TenantState] = {
        TenantSuspended: "suspended",
        TenantReinstated: "open",
        TenantClosed: "closed",
    }
    with database.transaction(_tenant_of(envelope)) as tx:
        TenantStore(tx).set_state(data.version, states[type(data)])
    with database.transaction(_tenant_of(envelope)) as tx:
        _tell_gate(tx)


@own_transactions
def keep_revocation(envelope: Envelope, database: Database) -> None:
    """A session, a key or a user's earlier tokens open nothing any more."""
    data = envelope.data
    assert isinstance(data, AccessRevoked)
    with database.transaction(_tenant_of(envelope)) as tx:
        mark = TenantStore(tx).add_revocation(data.kind, data.subject_id, data.before)
    with database.transaction(_tenant_of(envelope)) as tx:
        _tell_gate(tx, mark)


@own_transactions
def keep_audit(envelope: Envelope, database: Database) -> None:
    """Who did what goes to the end of the tenant's chain, once an event."""
    data, meta = envelope.data, envelope.meta
    assert isinstance(data, AuditRecorded)
    tenant_id = meta.tenant_id or NIL
    with database.transaction(tenant_id) as tx:
        said = Said(meta.event_id, meta.correlation_id, meta.occurred_at, data)
        append_entry(AuditStore(tx), tenant_id, said)


@own_transactions
def keep_requests(envelope: Envelope, _database: Database) -> None:
    """Requests go to ClickHouse, a message an insert."""
    data = envelope.data
    assert isinstance(data, RequestsServed)
    RequestStore(_analytics()).add(data.requests)


HANDLERS: Handlers = {
    EntitlementsChanged: keep_entitlements,
    TenantSuspended: keep_state,
    TenantReinstated: keep_state,
    TenantClosed: keep_state,
    AccessRevoked: keep_revocation,
    AuditRecorded: keep_audit,
    RequestsServed: keep_requests,
}

handler = make_consumer(HANDLERS, lambda: _database())
