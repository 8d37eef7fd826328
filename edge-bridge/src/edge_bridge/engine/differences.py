"""Where the broker's books and ours disagree, told once each and remembered until they agree.

A difference holds its account's entries. It ends when the books agree; one that only a human can
judge (a position that is not ours) also stops holding when the tenant's kill switch is released.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from contracts.envelope import Contract, Envelope
from contracts.trading_engine import ReconciliationDiffered, ReconciliationResolved
from contracts.trading_reasons import DifferenceKind
from edge_bridge.engine.directory import Account
from edge_bridge.engine.journal import Record

KIND = "difference"


class Difference(Contract):
    """One disagreement of an account."""

    account_id: UUID
    kind: DifferenceKind
    subject: str
    """The position's or the order's id."""
    volume: int = 0
    symbol: str | None = None
    acknowledged: bool = False

    @property
    def name(self) -> str:
        """Names the difference within its account."""
        return f"{self.kind}/{self.subject}"

    @property
    def key(self) -> str:
        """Names it in the journal."""
        return f"{self.account_id}/{self.name}"

    @property
    def record(self) -> Record:
        """The difference as a record of the journal."""
        return KIND, self.key, self.model_dump_json()


class Changes:
    """What a look at an account's books leads to: one step, if anything."""

    def __init__(self) -> None:
        self.events: list[Envelope] = []
        self.records: list[Record] = []

    def __bool__(self) -> bool:
        return bool(self.events or self.records)


class Differences:
    """The open differences by account."""

    def __init__(self) -> None:
        self.open: dict[UUID, dict[str, Difference]] = {}

    def note(
        self,
        account: Account,
        found: Difference,
        now: datetime,
        into: Changes,
        *,
        position: int | None = None,
        order_id: UUID | None = None,
    ) -> None:
        """Open a difference, and tell of it when it is new."""
        known = self.open.setdefault(account.account_id, {})
        if found.name in known:
            return
        known[found.name] = found
        into.records.append(found.record)
        into.events.append(_tell(account, found, now, position, order_id))

    def tell_gone(self, account: Account, gone: Difference, now: datetime, into: Changes) -> None:
        """Tell that an external position is gone; this holds nothing."""
        gone = gone.model_copy(update={"kind": "external_gone"})
        into.events.append(_tell(account, gone, now, int(gone.subject), None))

    def settle(self, account: Account, name: str, now: datetime, into: Changes) -> None:
        """End a difference; with the last one that holds, the books agree again."""
        known = self.open.get(account.account_id, {})
        held = self.holds(account.account_id)
        ended = known.pop(name, None)
        if ended is None:
            return
        into.records.append((KIND, ended.key, None))
        self._tell_resolved(account, now, into, held=held)

    def acknowledge(self, account: Account, now: datetime, into: Changes) -> None:
        """A human has seen the external positions: they count, and hold nothing any more."""
        known = self.open.get(account.account_id, {})
        held = self.holds(account.account_id)
        for name, each in list(known.items()):
            if each.kind == "external_position" and not each.acknowledged:
                known[name] = each.model_copy(update={"acknowledged": True})
                into.records.append(known[name].record)
        self._tell_resolved(account, now, into, held=held)

    def of(self, account_id: UUID, kind: DifferenceKind) -> list[Difference]:
        """An account's open differences of a kind."""
        return [each for each in self.open.get(account_id, {}).values() if each.kind == kind]

    def holds(self, account_id: UUID) -> bool:
        """Whether something stops the account's entries."""
        return any(not each.acknowledged for each in self.open.get(account_id, {}).values())

    def load(self, load: Callable[[str], dict[str, str]]) -> None:
        """Read the differences back."""
        for text in load(KIND).values():
            each = Difference.model_validate_json(text)
            self.open.setdefault(each.account_id, {})[each.name] = each

    def _tell_resolved(self, account: Account, now: datetime, into: Changes, *, held: bool) -> None:
        if held and not self.holds(account.account_id):
            resolved = ReconciliationResolved(account_id=account.account_id, resolved_at=now)
            into.events.append(Envelope.wrap(resolved, tenant_id=account.tenant_id, now=now))


def _tell(
    account: Account, found: Difference, now: datetime, position: int | None, order_id: UUID | None
) -> Envelope:
    data = ReconciliationDiffered(
        account_id=account.account_id, kind=found.kind, position_ticket=position,
        order_id=order_id, symbol=found.symbol, volume=found.volume, seen_at=now,
    )  # fmt: skip
    return Envelope.wrap(data, tenant_id=account.tenant_id, now=now)
