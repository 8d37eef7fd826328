"""One account at the supervisor: its watch, its process, its line. The supervisor's thread only."""

from dataclasses import replace
from typing import Any, Protocol

from edge_bridge.ports import AccountState
from edge_bridge.workers import messages
from edge_bridge.workers.channel import Channel
from edge_bridge.workers.launch import Program, StartRefused, WorkerProcess
from edge_bridge.workers.line import Line
from edge_bridge.workers.market import FeedTicks, MarketReader, MarketRing, TickShelf
from edge_bridge.workers.messages import FeedMark
from edge_bridge.workers.plan import WorkerSpec
from edge_bridge.workers.policy import AccountWatch
from edge_bridge.workers.wire import (
    Frame,
    Kind,
    Ticks,
    WireBroken,
    pack_json,
    read_json,
    read_ticks,
)

LAST_READS_MAX = 16
"""Of what a worker had sent before it died."""
FEED_ROWS_MAX = 32_768
"""Ticks of one feed that may wait for the host."""


class House(Protocol):
    """What the slots of a host share."""

    program: Program
    ring: MarketRing
    shelf: TickShelf

    @property
    def port(self) -> int:
        """Where workers knock."""

    def tell(self, slot: "Slot") -> None:
        """Tell a change of health, if there is one."""


class Slot:
    """An account's worker, from link to unlink."""

    def __init__(self, spec: WorkerSpec, watch: AccountWatch, line: Line, house: House) -> None:
        self.spec, self.watch, self.line = spec, watch, line
        self._house = house
        self.process: WorkerProcess | None = None
        self.channel: Channel | None = None
        self.password: str | None = None
        self._credit = 0
        """Ticks that the worker may still send."""
        self._missed = 0
        self._market: MarketReader | None = None
        self._market_seen: int | None = None
        self._marks: dict[str, FeedMark] = {}
        self._failure = ""

    def step(self, now_ns: int, *, may_start: bool) -> None:
        """Do what the watch says is due."""
        self.grant_credit()
        match self.watch.advance(now_ns, may_start=may_start):
            case "start":
                self._start(now_ns)
            case "ask":
                asked = self.channel and self.channel.offer(pack_json(Kind.STOP, 0, None))
                if not asked and self.process is not None:
                    self.process.kill()  # it has not knocked yet, or takes nothing
            case "kill":
                if self.process is not None:
                    self.process.kill()

    def _start(self, now_ns: int) -> None:
        self._failure = ""
        try:
            self.process = WorkerProcess(self._house.program, self._house.port, self.password or "")
        except StartRefused as error:
            self.watch.note_failed(now_ns, str(error))

    def find_exit(self, now_ns: int) -> bool:
        """Notice that the process is gone; tell whether it is."""
        process = self.process
        code = None if process is None else process.find_exit()
        if process is None or code is None:
            return False
        for _ in range(LAST_READS_MAX):
            if self.channel is None or not self.read(now_ns):
                break
        reason = self._failure or process.read_last_words() or f"exited with code {code}"
        if self.password:
            reason = reason.replace(self.password, "***")
        process.close()
        self.process = None
        self.watch.note_exit(now_ns, reason)
        self.line.go_down(self.channel, self.watch.reason or self.watch.health)
        if self._market is not None:
            self._missed += self._market.missed
            self._market = None
        if self.line.snapshot.market:
            self._market_seen = self.line.snapshot.market
        return True

    def admit(self, channel: Channel) -> None:
        """Take the worker's connection and tell it what to open."""
        self.channel, self._credit = channel, 0
        opening = replace(self.spec.opening, feed_from=tuple(self._marks.values()))
        channel.offer(pack_json(Kind.OPEN, 0, messages.write_opening(opening)))

    def read(self, now_ns: int) -> bool:
        """Read what the worker sent; False when there is nothing more to expect."""
        assert self.channel is not None  # it is read from
        try:
            frames = self.channel.read()
            for frame in frames or ():
                self._take(frame, now_ns)
        except WireBroken as error:
            self.watch.note_protocol(now_ns, str(error))
            return False
        return frames is not None

    def _take(self, frame: Frame, now_ns: int) -> None:
        match frame.kind:
            case Kind.STATE:
                self.watch.note_sign(now_ns)
                self.line.take_state(frame)
            case Kind.ANSWER:
                self.line.take_answer(frame)
            case Kind.TICKS if frame.number:
                self.line.take_answer(frame)
            case Kind.TICKS:
                self._take_feed(read_ticks(frame.payload))
            case Kind.READY:
                self._take_ready(frame, now_ns)
            case Kind.LOST:
                reason = _read_reason(read_json(frame.payload))
                self.line.pause(reason)
                self.watch.note_lost(now_ns, reason)
                self._house.tell(self)  # it may be back within the same reading
            case Kind.FAILED:
                refused, self._failure = _read_failure(read_json(frame.payload))
                if refused:
                    self.watch.note_refused(now_ns, self._failure)
            case _:
                raise WireBroken(f"{frame.kind.name} is no message of a worker")

    def _take_ready(self, frame: Frame, now_ns: int) -> None:
        opening = self.spec.opening
        account_id, account = messages.guard(_read_ready, read_json(frame.payload))
        found = (account_id, account.login, account.server)
        if found != (opening.account_id, opening.login, opening.server):
            raise WireBroken(f"a worker of another account: {account.login} at {account.server}")
        channel = self.channel
        assert channel is not None  # the frame came through it
        if opening.mode == "paper" and self._market is None:
            self._market = self._open_market(channel)
        self.watch.note_ready(now_ns)
        if self.watch.phase != "running":
            return  # it is being ended
        self.line.go_up(channel, self._market)
        self.grant_credit()

    def _open_market(self, channel: Channel) -> MarketReader:
        number, frames = self._house.ring.resume(self._market_seen)
        for each in frames:
            channel.offer(each)
        return MarketReader(self._house.ring, number)

    def _take_feed(self, ticks: Ticks) -> None:
        columns = ticks.columns
        account_id = self.spec.opening.account_id
        if not columns.ts_ns or ticks.symbol not in self.spec.opening.feed:
            raise WireBroken(f"ticks of {ticks.symbol}, which is not read here")
        rows = self._house.shelf.put(FeedTicks(account_id, ticks.symbol, columns))
        self._credit -= len(columns.ts_ns)
        if self._credit < 0:
            raise WireBroken(f"{rows} ticks wait, more than there was credit for")
        self._marks[ticks.symbol] = _mark(ticks, self._marks.get(ticks.symbol))

    def grant_credit(self) -> None:
        """Let a feed send as many more ticks as the host has room for."""
        opening, channel = self.spec.opening, self.channel
        if not opening.feed or channel is None or self.watch.phase != "running":
            return
        room = FEED_ROWS_MAX - self._credit - self._house.shelf.count(opening.account_id)
        if room > 0 and channel.offer(pack_json(Kind.CREDIT, 0, room)) is not None:
            self._credit += room

    @property
    def market_missed(self) -> int:
        """Market frames that were gone before the terminal could have them."""
        return self._missed + (self._market.missed if self._market else 0)

    def drop_channel(self) -> None:
        """Let go of the connection."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    @property
    def is_over(self) -> bool:
        """Whether the account is served no more and its process is gone."""
        return self.watch.phase == "stopped" and self.process is None


def _mark(ticks: Ticks, before: FeedMark | None) -> FeedMark:
    """Where a feed that ended now would go on."""
    columns = ticks.columns
    last_ns = columns.ts_ns[-1]
    seen = set(before.seen) if before is not None and before.time_ns == last_ns else set()
    for place in range(len(columns.ts_ns) - 1, -1, -1):
        if columns.ts_ns[place] != last_ns:
            break
        seen.add((columns.bid[place], columns.ask[place]))
    return FeedMark(ticks.symbol, last_ns, tuple(seen))


def _read_ready(content: list[Any]) -> tuple[str, AccountState]:
    account_id, row = content
    return str(account_id), messages.read_account(row)


def _read_failure(content: object) -> tuple[bool, str]:
    match content:
        case [bool(refused), *reason]:
            return refused, _read_reason(reason)
    raise WireBroken("a failure that says nothing")


def _read_reason(content: object) -> str:
    match content:
        case [int(), str(reason)]:
            return reason
    raise WireBroken("a failure without a reason")
