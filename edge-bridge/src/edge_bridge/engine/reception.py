"""Takes every message but signals: who may trade what, within which limits, and who must stop.

Each is kept in the step that marks it done. What cannot be true changes nothing and is counted.
"""

from uuid import UUID

from contracts.ai_orchestration import SignalIssued
from contracts.envelope import Envelope, Message, Meta
from contracts.subscription_service import EntitlementsChanged, QuotaExhausted
from contracts.trading_engine import (
    AccountLinked,
    AccountUnlinked,
    EngageKillSwitch,
    NewsCalendarPublished,
    ReleaseKillSwitch,
    TradingLimitsChanged,
)
from edge_bridge.engine.desk import Desk
from edge_bridge.engine.differences import Changes
from edge_bridge.engine.directory import Account
from edge_bridge.engine.exits import Exits
from edge_bridge.engine.guard import Guard
from edge_bridge.engine.journal import OpenTerminal, Record
from edge_bridge.engine.reports import confirm_account
from edge_bridge.engine.state import EngineState
from edge_bridge.engine.switches import Switch


class Reception:
    """Messages in, records and effects out."""

    def __init__(self, state: EngineState, exits: Exits, open_terminal: OpenTerminal) -> None:
        self._state, self._exits, self._open_terminal = state, exits, open_terminal

    def take(self, envelope: Envelope) -> None:
        """Take one message."""
        meta, data = envelope.meta, envelope.data
        match data:
            case AccountLinked() | AccountUnlinked():
                self._change_account(data, meta)
            case EngageKillSwitch() | ReleaseKillSwitch():
                self._turn_switch(data, meta)
            case _:
                records = self._keep(data, meta)
                self._state.journal.write(records=records, done=(meta.event_id,))

    def _keep(self, data: Message, meta: Meta) -> list[Record]:
        """Take what only has to be remembered; what cannot be true is counted."""
        records: list[Record] = []
        match data:
            case EntitlementsChanged():
                if self._state.directory.entitle(meta.tenant_id, data):
                    records.append(("entitlements", str(meta.tenant_id), data.model_dump_json()))
            case QuotaExhausted():
                if self._state.quota.latch(meta.tenant_id, data):
                    records.append(("exhausted", str(meta.tenant_id), data.model_dump_json()))
            case TradingLimitsChanged():
                if self._owns(meta.tenant_id, data.account_id) and meta.tenant_id is not None:
                    record = self._state.limit_book.take(meta.tenant_id, data)
                    records += [record] if record else []
                else:
                    self._state.refused["TradingLimitsChanged"] += 1
            case NewsCalendarPublished():
                if meta.tenant_id is None:
                    record = self._state.market.calendar.take_news(data)
                    records += [record] if record else []
                else:
                    self._state.refused["NewsCalendarPublished"] += 1
            case SignalIssued():  # the platform's models speak to all tenants, a tenant to none
                self._state.refused["SignalIssued"] += 1
            case _:
                pass
        return records

    def _owns(self, tenant_id: UUID | None, account_id: UUID | None) -> bool:
        """Whether an account may be named by a tenant: its own, or one that is not known yet."""
        account = self._state.directory.accounts.get(account_id) if account_id else None
        return account is None or account.tenant_id == tenant_id

    def _turn_switch(self, data: EngageKillSwitch | ReleaseKillSwitch, meta: Meta) -> None:
        """Latch or arm a scope, tell of it, and act at once.

        A tenant's release is a human's word on all its accounts: latches of their own limits are
        armed too, and external positions count as acknowledged.
        """
        state, now, tenant_id = self._state, self._state.clock.now(), meta.tenant_id
        changes = Changes()
        if isinstance(data, EngageKillSwitch):
            switch = state.switches.engage(tenant_id, data)
        else:
            switch = state.switches.release(tenant_id, data, now)
        owned = [
            desk
            for desk in state.desks.values()
            if tenant_id is None or desk.account.tenant_id == tenant_id
        ]
        if switch is None:
            self._answer_void(data, meta)
            return
        changes.records.append(switch.record)
        told = Envelope.wrap(switch.describe(now), tenant_id=tenant_id, now=now, cause=meta)
        changes.events.append(told)
        if not switch.engaged and tenant_id is not None:
            self._arm(owned, changes)
        state.journal.write(events=changes.events, records=changes.records, done=(meta.event_id,))
        self._act(switch, owned)

    def _answer_void(self, data: EngageKillSwitch | ReleaseKillSwitch, meta: Meta) -> None:
        """A command that changed nothing; a release that came too late is told how things stand."""
        state, now, told = self._state, self._state.clock.now(), []
        if isinstance(data, ReleaseKillSwitch) and now > data.expires_at:
            stands = state.switches.refuse(meta.tenant_id, data)
            if stands is not None:
                event = stands.describe(now)
                told.append(Envelope.wrap(event, tenant_id=meta.tenant_id, now=now, cause=meta))
        state.journal.write(events=told, done=(meta.event_id,))

    def _arm(self, desks: list[Desk], into: Changes) -> None:
        state, now = self._state, self._state.clock.now()
        for desk in desks:
            account_id = desk.account.account_id
            state.differences.acknowledge(desk.account, now, into)
            desk.held = state.differences.holds(account_id)
            if desk.guard.killed is not None:
                desk.guard = desk.guard.model_copy(update={"killed": None, "peak_equity": None})
                into.records.append(("guard", str(account_id), desk.guard.model_dump_json()))

    def _act(self, switch: Switch, desks: list[Desk]) -> None:
        for desk in desks:
            desk.cancel_due = switch.engaged
        self._exits.watch_desks(desks)

    def _change_account(self, data: AccountLinked | AccountUnlinked, meta: Meta) -> None:
        directory = self._state.directory
        if isinstance(data, AccountLinked):
            account = directory.link(meta.tenant_id, data)
        else:
            account = directory.unlink(meta.tenant_id, data)
        changes = Changes()
        if account is not None:
            now = self._state.clock.now()
            changes.records.append(("account", str(account.account_id), account.model_dump_json()))
            changes.events.append(confirm_account(account, data.version, meta, now))
        self._state.journal.write(
            events=changes.events, records=changes.records, done=(meta.event_id,)
        )
        if account is not None:
            self.open_desk(account)

    def _put_away(self, desk: Desk) -> None:
        """An account that ended flat and is linked again: its terminal may have ended with the
        link, so it gets a desk anew; what limits it stays."""
        state, account_id = self._state, desk.account.account_id
        state.guards[account_id] = desk.guard
        state.sent[account_id] = list(desk.sent_ns.times_ns)
        del state.desks[account_id]

    def open_desk(self, account: Account) -> None:
        """Give an account its desk; one that ended keeps it until its positions are flat."""
        state = self._state
        desk = state.desks.get(account.account_id)
        if desk is not None and not desk.account.active and account.active and not desk.orders:
            self._put_away(desk)
            desk = None
        if desk is not None:
            desk.account = account
        elif account.linked is not None and (
            account.active or state.orders.get(account.account_id)
        ):
            terminal = self._open_terminal(account.linked)
            if terminal is None:
                return
            desk = Desk(account, terminal, state.guards.get(account.account_id, Guard()))
            desk.orders = state.orders.pop(account.account_id, {})
            desk.sent_ns.extend(state.sent.pop(account.account_id, []))
            desk.held = state.differences.holds(account.account_id)
            desk.cancel_due = state.switches.is_engaged(account.tenant_id)
            state.desks[account.account_id] = desk
        if desk is not None:
            self._exits.watch_desks((desk,))
