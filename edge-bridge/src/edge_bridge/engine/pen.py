"""Writes the engine's steps, and keeps them while the disk takes none.

An intention that cannot be written is refused at once: nobody may act on it. A step that tells
what has happened already cannot be refused; it waits here, in order, and while one waits no entry
leaves.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.envelope import Envelope
from edge_bridge.engine.journal import EngineJournal, Record, StorageFull
from edge_bridge.ports import quick

OWED_MAX = 1_000
"""More steps than this and the engine stops: what it did must not be forgotten."""


@quick
@dataclass(frozen=True, slots=True)
class _Step:
    events: Sequence[Envelope]
    records: tuple[Record, ...]
    done: Sequence[UUID]


class Pen:
    """The journal as the engine's parts use it."""

    def __init__(self, journal: EngineJournal) -> None:
        self._journal = journal
        self._owed: deque[_Step] = deque()
        self.load = journal.load

    @property
    def owed(self) -> int:
        """Steps that wait for the disk."""
        return len(self._owed)

    def write(
        self,
        *,
        events: Sequence[Envelope] = (),
        records: Iterable[Record] = (),
        done: Sequence[UUID] = (),
        quiet: bool = False,
    ) -> None:
        """Write a step, after those that wait. Only a quiet one raises StorageFull, or any when
        too many wait."""
        if quiet:
            if self._owed and not self.catch_up():
                raise StorageFull("earlier steps wait for the disk")
            self._journal.write(events=events, records=records, done=done, quiet=True)
            return
        step = _Step(events, tuple(records), done)
        if self._owed and not self.catch_up():
            self._keep(step)
            return
        try:
            self._journal.write(events=step.events, records=step.records, done=step.done)
        except StorageFull:
            self._keep(step)

    def catch_up(self) -> bool:
        """Write what waits; tell whether nothing waits any more."""
        while self._owed:
            step = self._owed[0]
            try:
                self._journal.write(events=step.events, records=step.records, done=step.done)
            except StorageFull:
                return False
            self._owed.popleft()
        return True

    def _keep(self, step: _Step) -> None:
        """Keep a step; one of records alone joins the last, where the newest value of a key counts:
        what an account's figures do while a disk is full must not add up."""
        if self._owed and not (step.events or step.done):
            last = self._owed[-1]
            merged = {(kind, key): value for kind, key, value in (*last.records, *step.records)}
            records = tuple((kind, key, value) for (kind, key), value in merged.items())
            self._owed[-1] = _Step(last.events, records, last.done)
            return
        if len(self._owed) >= OWED_MAX:
            raise StorageFull(f"{OWED_MAX} steps wait for the disk")
        self._owed.append(step)
