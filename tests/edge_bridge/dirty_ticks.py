"""Ticks as bad feeds send them: crossed, zero, NaN, repeated, late, backward and jumping."""

import random
from dataclasses import dataclass

from edge_bridge.bridge.ticks import NOT_A_NUMBER, TickChunk, make_chunk

START_NS = 1_400_047_200_000_000_000
MILLISECOND_NS = 1_000_000


@dataclass(frozen=True)
class Tick:
    ts_ns: int
    bid: int
    ask: int


def make_dirty_ticks(count: int, seed: int, dirt: float = 0.2) -> list[Tick]:
    """A random walk of which a share is spoilt, in ways that follow one another closely."""
    rng = random.Random(seed)
    ticks: list[Tick] = []
    now, bid = START_NS, 137_000
    for _ in range(count):
        now += rng.choice((0, 0, 1, 50, 900, 20_000)) * MILLISECOND_NS
        bid = max(1_000, bid + rng.randint(-5, 5))
        tick = Tick(now, bid, bid + rng.randint(1, 12))
        if rng.random() < dirt:
            tick = _spoil(tick, ticks, rng)
        if rng.random() < 0.002:
            bid += rng.choice((-6_000, 6_000))  # the level itself moves: a run of jumps
        ticks.append(tick)
    return ticks


def _spoil(tick: Tick, before: list[Tick], rng: random.Random) -> Tick:
    earlier = rng.choice(before[-5:]) if before else tick
    seconds = rng.choice((1, 3, 30, 3_600))
    return rng.choice(
        (
            Tick(tick.ts_ns, tick.ask, tick.bid),
            Tick(tick.ts_ns, tick.bid, tick.bid),
            Tick(tick.ts_ns, 0, tick.ask),
            Tick(tick.ts_ns, tick.bid, -1),
            Tick(tick.ts_ns, NOT_A_NUMBER, tick.ask),
            Tick(tick.ts_ns, tick.bid, 2**50),
            earlier,
            Tick(tick.ts_ns - seconds * 1_000 * MILLISECOND_NS, tick.bid, tick.ask),
            Tick(tick.ts_ns, tick.bid * 2, tick.ask * 2),
            Tick(tick.ts_ns, tick.bid // 2, tick.ask // 2),
        )
    )


def to_chunk(ticks: list[Tick], symbol: str = "EURUSD") -> TickChunk:
    return make_chunk(
        symbol,
        [tick.ts_ns for tick in ticks],
        [tick.bid for tick in ticks],
        [tick.ask for tick in ticks],
    )
