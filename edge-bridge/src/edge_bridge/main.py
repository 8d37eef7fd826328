"""The edge process: a source feeds the bridge, the bridge the link, the link the engine.

`python -m edge_bridge.main --replay TICKS.parquet --symbol EURUSD --state DIR` plays a recording;
`edge-bridge/README.md` has all options. SIGTERM and Ctrl-C stop it between two steps; started
again with the same state folder it goes on where it stopped.
"""

import argparse
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from edge_bridge.errors import EdgeError
from edge_bridge.ports import StorageFull
from edge_bridge.session import STOPPED, Options, ReplaySession
from edge_bridge.settings import EdgeSettings
from edge_bridge.times import nanoseconds

EXIT_OK = 0
EXIT_FAILED = 2
EXIT_STOPPED = 143
"""Stopped by a signal before the end, as a shell would report it."""
SWITCH_INTERVAL_S = 0.000_2
"""How long a background thread may hold the interpreter while an order wants to leave."""

PRIORITY = -10
"""An order must not wait behind other programs of the machine."""

_log = logging.getLogger("edge_bridge")


def read_arguments(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="edge_bridge", description="The edge of Sinyal.")
    parser.add_argument("--replay", type=Path, required=True, metavar="TICKS.parquet")
    parser.add_argument("--from", dest="start", type=_read_instant, metavar="TIME")
    parser.add_argument("--to", dest="end", type=_read_instant, metavar="TIME")
    parser.add_argument("--symbol", required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--pace", choices=("decisions", "none"), default="decisions")
    parser.add_argument("--progress", type=Path, metavar="FILE")
    parser.add_argument("--accounts", type=int, default=0, help="wait for so many accounts")
    parser.add_argument("--accounts-wait", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--stream", help="name of the stream; a new one by default")
    given = parser.parse_args(arguments)
    return Options(
        recording=given.replay,
        symbol=given.symbol,
        state=given.state,
        start_ns=given.start,
        end_ns=given.end,
        pace=given.pace,
        progress=given.progress,
        accounts=given.accounts,
        accounts_wait_s=given.accounts_wait,
        stream=given.stream,
    )


def _read_instant(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text}: say the time zone, such as Z")
    return nanoseconds(moment)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the edge; return the exit code."""
    options = read_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(OSError, AttributeError):  # where we may, and where it exists
        os.nice(PRIORITY)
    try:
        session = ReplaySession(options, EdgeSettings(), stop.is_set)
        gc.freeze()  # what lives for the whole run need not be looked at by every collection
        outcome = session.run()
    except (EdgeError, StorageFull) as error:
        _log.error("%s: %s", type(error).__name__, error)
        return EXIT_FAILED
    return EXIT_STOPPED if outcome == STOPPED else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
