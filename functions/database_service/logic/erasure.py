"""Erases a tenant, store by store, so that a crash at any point is taken up where it happened.

A sweep goes through every store once. What it finds is written down before it is removed, and a
store that is done is not done again by the same sweep. Later sweeps find what late messages brought
back.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from functions.database_service.models import StoreName, Swept, TableRule


class Ledger(Protocol):
    """What is known of an erasure; each call is a transaction of its own."""

    def begin(self) -> Collection[StoreName]:
        """Open a sweep or take up the one that was cut off: the stores it is done with."""

    def note(self, store: StoreName, found: Swept) -> None:
        """Write down what a store holds, before it goes."""

    def finish(self, store: StoreName) -> None:
        """Note that a store is empty."""

    def complete(self) -> None:
        """Close the sweep."""


class OutsideStore(Protocol):
    """A store that PostgreSQL's transactions do not reach."""

    def count(self) -> int:
        """How much of the tenant it holds."""

    def erase(self) -> None:
        """Remove it all; to do it again changes nothing."""


def erase_tenant(
    ledger: Ledger, erase_rows: Callable[[], None], outside: Mapping[StoreName, OutsideStore]
) -> None:
    """Run one sweep. ``erase_rows`` erases in PostgreSQL and notes it in the same transaction.

    Raises what a store raises; the next call goes on at that store.
    """
    done = ledger.begin()
    if "postgresql" not in done:
        erase_rows()
    for name, store in outside.items():
        if name in done:
            continue
        found = store.count()
        ledger.note(name, Swept(found))
        if found:
            store.erase()
        ledger.finish(name)
    ledger.complete()


def order_tables(
    tables: Collection[str], references: Collection[tuple[str, str]]
) -> tuple[str, ...]:
    """Tables in an order in which their rows can go: those that refer to others first.

    ``references`` are (referring table, table referred to). Raises ValueError for a circle.
    """
    left = sorted(tables)
    ordered: list[str] = []
    while left:
        held = {
            target
            for source, target in references
            if source in left and target in left and source != target
        }
        free = [table for table in left if table not in held]
        if not free:
            raise ValueError(f"these tables refer to each other in a circle: {left}")
        ordered += free
        left = [table for table in left if table in held]
    return tuple(ordered)


def list_steps(
    rules: Collection[TableRule], references: Collection[tuple[str, str]]
) -> list[TableRule]:
    """The catalogue's rows in the order an erasure takes them: changes, then deletions."""
    by_name = {rule.table: rule for rule in rules}
    deleted = [rule.table for rule in rules if rule.treatment == "delete"]
    return [
        *(rule for rule in rules if rule.treatment != "delete"),
        *(by_name[table] for table in order_tables(deleted, references)),
    ]
