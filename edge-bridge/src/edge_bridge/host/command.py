"""`python -m edge_bridge run --config edge.toml`: the live edge until it is told to stop."""

import argparse
import gc
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from edge_bridge.errors import EdgeError
from edge_bridge.host.config import read_config
from edge_bridge.host.live import LiveEdge
from edge_bridge.host.logs import start_logs
from edge_bridge.ports import StorageFull

EXIT_STOPPED = 0
EXIT_FAILED = 2
SWITCH_INTERVAL_S = 0.000_5
"""How long a background thread may hold the interpreter while an order wants to leave."""

_log = logging.getLogger(__name__)


def run_command(arguments: Sequence[str]) -> int:
    """Run the edge; 0 when it was told to stop, 2 when something ended it."""
    parser = argparse.ArgumentParser(prog="edge_bridge run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.toml")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if hasattr(signal, "SIGBREAK"):  # Windows' way to stop a service's console
        signal.signal(signal.SIGBREAK, lambda *_: stop.set())
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        config = read_config(given.config)
        logs = config.logs
        start_logs(
            logs.folder or config.state / "logs", level=logs.level, bytes_max=logs.bytes_max,
            files=logs.files,
        )  # fmt: skip
        edge = LiveEdge(config)
        gc.freeze()  # what lives for the whole run need not be looked at by every collection
        edge.run(stop.is_set)
    except (EdgeError, StorageFull) as error:
        _log.error("%s: %s", type(error).__name__, error)
        return EXIT_FAILED
    return EXIT_STOPPED
