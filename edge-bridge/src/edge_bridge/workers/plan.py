"""From a linked account to the worker that serves it."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from contracts.trading_engine import AccountLinked
from edge_bridge.workers.messages import Opening


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One account's worker. A higher version replaces a lower one."""

    tenant_id: UUID
    account_id: UUID
    version: int
    opening: Opening
    ciphertext: str | None = field(default=None, repr=False)
    """Base64 of the encrypted password; None: the terminal needs none."""


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a host keeps what its workers need, and which symbols it trades."""

    paper: Path
    """One file of broker's books for each paper account."""
    terminals: Path
    """One folder for each live account, named by its id, with a terminal of its own."""
    symbols: tuple[tuple[str, int], ...]
    """Names and digits."""


def plan_worker(
    tenant_id: UUID, linked: AccountLinked, premises: Premises, *, feed: tuple[str, ...] = ()
) -> WorkerSpec:
    """Say how an account's worker is to be started."""
    if linked.mode == "paper":
        path = premises.paper / f"{linked.account_id}.journal"
    else:
        path = premises.terminals / str(linked.account_id) / "terminal64.exe"
    opening = Opening(
        account_id=str(linked.account_id),
        mode=linked.mode,
        login=linked.login,
        server=linked.server,
        path=str(path),
        symbols=premises.symbols,
        feed=feed,
        currency=linked.currency,
        balance=linked.initial_balance_cents,
        leverage=linked.leverage,
        broker_zone=linked.broker_zone,
        broker_ahead_hours=linked.broker_ahead_hours,
    )
    ciphertext = linked.encrypted_password if linked.mode == "live" else None
    return WorkerSpec(tenant_id, linked.account_id, linked.version, opening, ciphertext)
