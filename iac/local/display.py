"""Show on the terminal how the stack comes up, and where everything is once it has."""

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.live import Live
from rich.table import Table

_MARKS = {"starting": "[yellow]…[/]", "ready": "[green]✓[/]", "failed": "[red]✗[/]"}


class ProgressDisplay:
    """A table of parts that fills up; plain lines where there is no terminal.

    Called from several threads: `display(part, state, seconds)`.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, tuple[str, float, float]] = {}
        self._lock = threading.Lock()
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=8,
            auto_refresh=console.is_terminal,
        )

    def __enter__(self) -> "ProgressDisplay":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, part: str, state: str, seconds: float) -> None:
        with self._lock:
            self._states[part] = (state, seconds, time.monotonic())
        if not self._console.is_terminal and state != "starting":
            self._console.print(f"{_MARKS[state]} {part} {seconds:.1f} s", highlight=False)

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for part, (state, seconds, since) in self._states.items():
                shown = time.monotonic() - since if state == "starting" else seconds
                table.add_row(_MARKS[state], part, f"{shown:.1f} s")
        return table


def hide_password(url: str) -> str:
    """Return the URL without its password: terminals are shared, stack.json is not."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return parts._replace(netloc=f"{parts.username or ''}:…@{host}").geturl()


def describe_places(description: Mapping[str, Any]) -> Table:
    """Return a table of where everything of a stack is, from the content of stack.json."""
    table = Table.grid(padding=(0, 2))
    api = description["api"]
    rows = {
        "API": f"{api['url']}  (Host: {api['host_header']})",
        "stream": description["websocket"],
        "AWS": description["aws_endpoint"],
        **{name: description[name] for name in ("postgres", "redis", "clickhouse")},
        **{f"sandbox {name}": url for name, url in description["sandboxes"].items()},
    }
    for name, place in rows.items():
        table.add_row(f"[bold]{name}[/]", hide_password(place))
    return table
