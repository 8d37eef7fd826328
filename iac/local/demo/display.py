"""The demo's progress: a line a step, with a bar on the long ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column


class Step:
    """One line of the display."""

    def __init__(self, progress: Progress, task: TaskID, console: Console, name: str) -> None:
        self._progress, self._task = progress, task
        self._console, self._name = console, name

    def note(self, text: str) -> None:
        """Say what is happening."""
        self._progress.update(self._task, note=text)

    def show(self, done: float, total: float, text: str) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total, note=text)


class DemoDisplay:
    """Steps in order; where there is no terminal, a plain line as each one ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=14),
            TimeElapsedColumn(),
            TextColumn(
                "{task.fields[note]}",
                style="dim",
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "DemoDisplay":
        self._progress.start()
        return self

    def __exit__(self, *_exception: Any) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Step]:
        """Show a step for the length of the block, and keep how long it took."""
        began = monotonic()
        task = self._progress.add_task(title, total=None, note="")
        yield Step(self._progress, task, self._console, name)
        self.seconds[name] = round(monotonic() - began, 3)
        finished = self._progress.tasks[task]
        self._progress.update(task, total=finished.total or 1, completed=finished.total or 1)
        if not self._console.is_terminal:
            note = f"  {finished.fields['note']}" if finished.fields["note"] else ""
            self._console.print(
                f"✓ {title} {self.seconds[name]:.1f} s{note}", highlight=False, soft_wrap=True
            )
