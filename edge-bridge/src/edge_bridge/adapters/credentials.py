"""Which terminal and account a process drives."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import PureWindowsPath


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Which terminal and account; `path` is the terminal's program file."""

    path: str
    login: int
    password: str
    server: str
    connect_timeout_ms: int = 60_000


@lru_cache(maxsize=1_024)
def read_path(path: str) -> PureWindowsPath:
    """A path that compares as Windows does. Kept: accounts are read often, their paths stay."""
    return PureWindowsPath(path)


@lru_cache(maxsize=1_024)
def read_folder(path: str) -> PureWindowsPath:
    """The folder of a program file."""
    return read_path(path).parent
