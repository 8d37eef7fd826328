"""From linked accounts to terminals: each gets a worker, under our symbol names.

The engine asks for a terminal when an account is linked; the host follows later versions and ends,
which change or end the worker while the engine keeps the same terminal in its hands.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from contracts.trading_engine import AccountLinked
from edge_bridge.adapters.renaming import RenamingTerminal
from edge_bridge.bridge.symbols import SymbolMap
from edge_bridge.engine.directory import Account
from edge_bridge.errors import SymbolsAmbiguous
from edge_bridge.ports import SymbolUnknown, Terminal
from edge_bridge.workers.plan import Premises, plan_worker
from edge_bridge.workers.supervisor import AccountOfAnotherTenant, Supervisor, TooManyWorkers

_log = logging.getLogger(__name__)


class BrokerNames:
    """A symbol map as a terminal needs it: an unknown name is an error."""

    def __init__(self, names: SymbolMap) -> None:
        self._names = names

    def to_broker(self, symbol: str) -> str:
        """The broker's name. Raises SymbolUnknown."""
        theirs = self._names.to_broker(symbol)
        if theirs is None:
            raise SymbolUnknown(symbol)
        return theirs

    def to_ours(self, symbol: str) -> str:
        """Our name, or the broker's when there is none."""
        return self._names.to_ours(symbol) or symbol


@dataclass(slots=True)
class AccountDesk:
    """Opens, changes and ends accounts' workers."""

    supervisor: Supervisor
    paper: Path
    terminals: Path
    symbols: tuple[tuple[str, int], ...]
    find_owner: Callable[[UUID], UUID | None]
    """The tenant of an account, from the engine's directory."""
    _versions: dict[UUID, int] = field(default_factory=dict)

    def open(self, account: AccountLinked) -> Terminal | None:
        """Make the terminal of an account; None when it can have none here: the log says why."""
        tenant_id = self.find_owner(account.account_id)
        if tenant_id is None:
            return None
        try:
            names = SymbolMap(account.symbols, account.symbol_suffix)
            broker = tuple((names.to_broker(name) or name, n) for name, n in self.symbols)
            premises = Premises(self.paper, self.terminals, broker)
            remote = self.supervisor.add(plan_worker(tenant_id, account, premises))
        except (AccountOfAnotherTenant, TooManyWorkers, SymbolsAmbiguous) as error:
            _log.error("account %s has no terminal: %s", account.account_id, error)
            return None
        self._versions[account.account_id] = account.version
        if account.symbols or account.symbol_suffix:
            return RenamingTerminal(remote, BrokerNames(names))
        return remote

    def follow(
        self,
        accounts: Iterable[Account],
        busy: Callable[[UUID], bool],
        replace: Callable[[UUID, Terminal], None],
    ) -> None:
        """Bring workers in line with the directory: newer versions, whose terminals replace those
        before, and ends of accounts that hold nothing any more (``busy`` tells)."""
        for account in accounts:
            known = self._versions.get(account.account_id)
            if known is None or account.linked is None:
                continue
            if account.active and account.linked.version > known:
                terminal = self.open(account.linked)
                if terminal is not None:
                    replace(account.account_id, terminal)
            elif not account.active and not busy(account.account_id):
                self.supervisor.remove(account.account_id)
                del self._versions[account.account_id]
