"""A host with real worker processes, impatient so that a test's faults are seen at once."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import edge_bridge
from contracts.ids import derived_id
from contracts.trading_engine import AccountHealthChanged
from edge_bridge.ports import OrderRequest, Position, TerminalUnavailable, TickColumns
from edge_bridge.workers.launch import Program
from edge_bridge.workers.line import LineSettings
from edge_bridge.workers.messages import Opening
from edge_bridge.workers.plan import WorkerSpec
from edge_bridge.workers.policy import WatchSettings
from edge_bridge.workers.remote import RemoteTerminal
from edge_bridge.workers.supervisor import Supervisor, SupervisorSettings, WorkerReport
from edge_bridge.workers.wire import Ticks

_T = TypeVar("_T")
MS = 1_000_000
START_NS = 1_398_902_400_000_000_000
ROOT = Path(__file__).parents[3]
ODD = Program(
    "import sys; from tests.edge_bridge.workers.odd_worker import main, open_odd;"
    " sys.exit(main(open_odd))",
    (Path(edge_bridge.__file__).parents[1], ROOT),
)
IMPATIENT = WatchSettings(
    start_max_ns=8_000 * MS,
    silence_max_ns=1_200 * MS,
    end_max_ns=1_000 * MS,
    backoff_first_ns=20 * MS,
    backoff_max_ns=80 * MS,
    failures_max=3,
    open_first_ns=400 * MS,
    open_max_ns=1_600 * MS,
    stable_ns=300 * MS,
)
LINE = LineSettings(answer_wait_s=20.0)
WAIT_S = 20.0


def wait_until(look: Callable[[], _T], what: str) -> _T:
    """Look again and again until the answer is true."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited {WAIT_S} s for: {what}")


class Host:
    """A supervisor with paper accounts in a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        program: Program = ODD,
        watch: WatchSettings = IMPATIENT,
        open_secret: Callable[[UUID, UUID, str], str] = lambda _, __, text: text,
    ) -> None:
        self.folder = folder
        self.changes: list[tuple[UUID, AccountHealthChanged]] = []
        self.supervisor = Supervisor(
            lambda tenant, change: self.changes.append((tenant, change)),
            open_secret,
            SupervisorSettings(watch=watch, line=LINE),
            program=program,
        )
        self._seq = 0

    def __enter__(self) -> "Host":
        self.supervisor.start()
        self.move_price(110_000)
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop(5.0)

    def move_price(self, *bids: int) -> None:
        """Feed ticks a second apart, ten points wide."""
        ts_ns = [START_NS + (self._seq + place) * 1_000 * MS for place in range(len(bids))]
        columns = TickColumns(ts_ns, list(bids), [bid + 10 for bid in bids])
        self.supervisor.feed_market(Ticks("EURUSD", self._seq, columns))
        self._seq += len(bids)

    def plan(self, number: int, *, version: int = 1, **changes: Any) -> WorkerSpec:
        """An account of a tenant of its own."""
        account_id = derived_id("worker-account", number)
        ciphertext = changes.pop("ciphertext", None)
        tenant_id = changes.pop("tenant_id", derived_id("worker-tenant", number))
        values: dict[str, Any] = {
            "account_id": str(account_id), "mode": "paper", "login": 7_000 + number,
            "server": "Paper", "path": str(self.books(number)), "symbols": (("EURUSD", 5),),
            "balance": 1_000_000, "sign_ms": 100, "state_ms": 50, **changes,
        }  # fmt: skip
        return WorkerSpec(tenant_id, account_id, version, Opening(**values), ciphertext)

    def books(self, number: int) -> Path:
        """The file of an account's books."""
        return self.folder / f"{number}.journal"

    def ask_for(self, number: int, fault: str) -> Path:
        """Have an account's terminal misbehave while the file exists."""
        path = self.books(number).with_suffix(f".{fault}")
        path.touch()
        return path

    def serve(self, number: int, **changes: Any) -> RemoteTerminal:
        """Add an account and wait until its worker is up."""
        terminal = self.supervisor.add(self.plan(number, **changes))
        self.wait_for_price(terminal)
        return terminal

    def wait_for_price(self, terminal: RemoteTerminal) -> None:
        """Wait until a terminal tells prices."""
        wait_until(lambda: self.is_up(terminal), "a terminal that tells prices")

    def wait_for_account(self, terminal: RemoteTerminal) -> None:
        """Wait until a terminal tells its account."""

        def look() -> bool:
            try:
                return terminal.account().login > 0
            except TerminalUnavailable:
                return False

        wait_until(look, "a terminal that tells its account")

    def is_up(self, terminal: RemoteTerminal) -> bool:
        """Whether a terminal tells prices now."""
        try:
            return terminal.quote("EURUSD") is not None
        except TerminalUnavailable:
            return False

    def report(self, number: int) -> WorkerReport:
        """What the supervisor says of an account."""
        account_id = derived_id("worker-account", number)
        [report] = [each for each in self.supervisor.report() if each.account_id == account_id]
        return report

    def healths(self, number: int) -> list[str]:
        """Every health an account was told to have, in order."""
        account_id = derived_id("worker-account", number)
        return [change.health for _, change in self.changes if change.account_id == account_id]

    def reasons(self, number: int, health: str) -> list[str]:
        """Why an account was told to have a health."""
        account_id = derived_id("worker-account", number)
        return [
            change.reason
            for _, change in self.changes
            if change.account_id == account_id and change.health == health
        ]

    def starts(self, number: int) -> list[int]:
        """The processes that opened an account's terminal."""
        path = self.books(number).with_suffix(".starts")
        return [int(line) for line in path.read_text().split()] if path.exists() else []


def order(comment: str = "", *, magic: int = 1, side: Any = "buy", **changes: Any) -> OrderRequest:
    """A market order of 0.10 lot."""
    return OrderRequest(
        client_id=f"test-{magic}", symbol="EURUSD", side=side, volume=10, magic=magic,
        comment=comment, **changes,
    )  # fmt: skip


def magics(positions: "list[Position] | Any") -> list[int]:
    """Whose positions these are."""
    return [each.magic for each in positions]
