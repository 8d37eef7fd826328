"""A small trading run that can be stopped anywhere and started again, also as a program.

The same ticks and the same plan each time. Like the edge, it never does again what the terminal
already knows: steps before the terminal's last tick are past, and an order is looked up by its
magic before it is sent.
"""

import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.paper.settings import AccountSettings
from edge_bridge.adapters.paper.simulated import SimulatedTerminal
from tests.edge_bridge.adapters.terminals import (
    ACCOUNT,
    EURUSD,
    START_NS,
    closing,
    deal,
    list_deals,
    list_open,
    pending,
)

TICKS = 3_000
TICKS_A_COMMAND = 200
_MINUTE_NS = 60_000_000_000  # a tick a minute: two days, with swap
RULES = replace(EURUSD, commission_per_lot=350, swap_long=-7, swap_short=2)
SMALL_ACCOUNT: AccountSettings = replace(ACCOUNT, balance=100_000)


def make_ticks(seed: int = 7) -> list[tuple[int, int, int, int, str]]:
    """A random walk with jumps, so that stops, targets and gaps happen."""
    chance = random.Random(seed)
    bid, ticks = 110_000, []
    for seq in range(TICKS):
        bid += chance.choice((-40, -15, -5, 0, 5, 15, 40))
        ticks.append((seq, START_NS + seq * _MINUTE_NS, bid, bid + chance.randint(1, 12), "EURUSD"))
    return ticks


def open_account(journal: Path) -> SimulatedTerminal:
    """Open the terminal over its journal."""
    terminal = SimulatedTerminal(SMALL_ACCOUNT, [RULES], journal=journal)
    assert terminal.initialize()
    return terminal


def run(terminal: SimulatedTerminal, ticks: list[tuple[int, int, int, int, str]]) -> None:
    """Feed ticks and trade on them."""
    for tick in ticks:
        terminal.feed_tick(*tick)
        if tick[0] >= terminal.last_seq:
            _trade(terminal, tick[0], tick[2] / 100_000, tick[3] / 100_000)


def _trade(terminal: SimulatedTerminal, seq: int, bid: float, ask: float) -> None:
    if seq % 10:
        return
    chance = random.Random(seq)
    choice, magic = chance.random(), 1_000 + seq
    if any(row[6] == magic for row in list_deals(terminal)):
        return
    if choice < 0.4:
        buy = chance.random() < 0.5
        price, way = (bid, 1) if buy else (ask, -1)
        stop, target = chance.randint(15, 200) / 1e5, chance.randint(15, 200) / 1e5
        volume = chance.choice((0.1, 0.2, 2.0))
        terminal.order_send(
            deal(
                0 if buy else 1, volume, magic=magic,
                sl=round(price - way * stop, 5), tp=round(price + way * target, 5),
            )
        )  # fmt: skip
    elif choice < 0.6:
        if all(order.magic != magic for order in _known_orders(terminal)):
            price = round(ask + chance.choice((-60, 60)) / 1e5, 5)
            kind = c.ORDER_TYPE_BUY_LIMIT if price < ask else c.ORDER_TYPE_BUY_STOP
            terminal.order_send(pending(kind, price, magic=magic))
    elif choice < 0.9 and list_open(terminal):
        position = list_open(terminal)[0]
        half = max(0.01, round(position.volume / 2, 2))
        terminal.order_send(closing(position, half, magic=magic))
    elif list_open(terminal):
        position = list_open(terminal)[-1]
        terminal.order_send(
            action=c.TRADE_ACTION_SLTP, position=position.ticket, symbol="EURUSD",
            sl=round(bid - 0.002, 5) if position.type == 0 else round(ask + 0.002, 5), tp=0.0,
        )  # fmt: skip


def _known_orders(terminal: SimulatedTerminal) -> list[Any]:
    past: Any = terminal.history_orders_get(1, 2**31 - 1)
    active: Any = terminal.orders_get()
    return [*past, *active]


def serve_commands(journal: Path) -> None:
    """Feed the next ticks for each line that comes in, and answer each with a line."""
    terminal = open_account(journal)
    ticks = make_ticks()[max(0, terminal.last_seq - 500) :]
    for start in range(0, len(ticks), TICKS_A_COMMAND):
        sys.stdin.readline()
        run(terminal, ticks[start : start + TICKS_A_COMMAND])
        print("fed", flush=True)  # noqa: T201 - this is how the parent follows
    print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    serve_commands(Path(sys.argv[1]))
