"""Which terminal and account a process drives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Which terminal and account; `path` is the terminal's program file."""

    path: str
    login: int
    password: str
    server: str
    connect_timeout_ms: int = 60_000
