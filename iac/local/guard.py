"""Kill every process group of a launcher when the launcher is gone, however it went.

Run as a script: `python -I -S guard.py`, with its standard input a pipe that only the launcher
holds open. Lines `+GROUP SIGNAL` and `-GROUP` keep the list of groups, `+FOLDER` and `-FOLDER`
(absolute) that of folders to remove; end of input means the launcher died, kill -9 included. The
parent-death signal reaches direct children only: a part's own children (Lambda workers of
MiniStack) are reached through their group, here.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

GRACE_SECONDS = 3.0
POLL_SECONDS = 0.05


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; tell whether it still existed."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def read_lists() -> tuple[dict[int, int], set[str]]:
    """Follow the launcher's lists to their end; return {group: first signal} and folders left."""
    groups: dict[int, int] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        sign, what = line[:1], line[1:].rstrip("\n")
        if what.startswith("/"):
            (folders.add if sign == "+" else folders.discard)(what)
        elif sign == "+":
            group, number = what.split()
            groups[int(group)] = int(number)
        else:
            groups.pop(int(what), None)
    return groups, folders


def end_groups(groups: dict[int, int]) -> None:
    """Send each group its first signal, and SIGKILL to those that outlive the grace."""
    for group, number in groups.items():
        signal_group(group, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(signal_group(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for group in groups:
        signal_group(group, signal.SIGKILL)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(KeyboardInterrupt):
        groups_left, folders_left = read_lists()
        end_groups(groups_left)
        for folder in folders_left:
            shutil.rmtree(folder, ignore_errors=True)
