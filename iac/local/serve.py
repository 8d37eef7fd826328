"""`serve`: run rooms' HTTP doors alone, each on its own port, against the running stack.

For debugging: the code of the working copy, reached without API Gateway. A request has to carry
what the authorizer would have added; each room's environment is that of its deployed function.
"""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from iac.local.ports import LOOPBACK, accepts_connections, port_is_free
from iac.local.process import Part, PartFailed, start_part, stop_all_parts, wait_until_ready
from iac.local.room_env import make_room_env
from iac.local.rooms import PORTS
from iac.local.stack import ROOT
from iac.local.up import VAR, read_description

READY_SECONDS = 60.0  # fifteen rooms may be importing at once
WATCH_SECONDS = 0.5


class PortTaken(RuntimeError):
    """Another program listens on a room's port."""


def run_serve(rooms: Sequence[str], var: Path = VAR) -> None:
    """Serve these rooms (all when empty) until Ctrl-C; a room without a door is left out."""
    endpoint = str(read_description(var)["aws_endpoint"])
    console = Console()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        parts = {room: start_room(room, endpoint, var) for room in rooms or rooms_with_door()}
        for room, part in parts.items():
            _wait_for_room(room, part, console)
        _watch(list(parts.values()))
    except KeyboardInterrupt:
        console.print("\nStopped.")
    finally:
        stop_all_parts()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def rooms_with_door() -> list[str]:
    """Return the rooms that have an `api` module or package."""
    folders = {room: ROOT / "functions" / room for room in PORTS}
    return [
        room
        for room, folder in folders.items()
        if (folder / "api.py").exists() or (folder / "api").is_dir()
    ]


def start_room(room: str, endpoint: str, var: Path) -> Part:
    """Start one room's FastAPI application with uvicorn on its port."""
    port = PORTS[room]
    if not port_is_free(port):
        raise PortTaken(f"port {port} of {room} is taken by another program")
    options = ["--host", LOOPBACK, "--port", str(port), "--log-level", "info"]
    return start_part(
        f"serve-{room}",
        [sys.executable, "-m", "uvicorn", f"functions.{room}.api:app", *options],
        log_dir=var / "logs",
        env=make_room_env(room, endpoint),
        cwd=ROOT,
    )


def _wait_for_room(room: str, part: Part, console: Console) -> None:
    port = PORTS[room]
    wait_until_ready(part, lambda: accepts_connections(port), READY_SECONDS)
    console.print(f"[green]✓[/] {room} http://{LOOPBACK}:{port}")


def _watch(parts: Sequence[Part]) -> None:
    while True:
        for part in parts:
            if not part.is_running():
                raise PartFailed(part.name, "ended by itself", part.log_file)
        time.sleep(WATCH_SECONDS)
