"""Choose loopback ports, so that stacks of several users and test runs live side by side."""

import errno
import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range, so that no client connection can take a chosen port first.
LOWEST_PORT = 20_000
HIGHEST_PORT = 31_999
ATTEMPTS_MAX = 400


class NoFreePort(RuntimeError):
    """Every port that was tried on loopback is taken."""


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as refusal:
            if refusal.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def choose_ports(count: int) -> list[int]:
    """Return `count` different free loopback ports, drawn at random."""
    chosen: list[int] = []
    for _ in range(ATTEMPTS_MAX):
        if len(chosen) == count:
            return chosen
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT + 1)
        if port not in chosen and port_is_free(port):
            chosen.append(port)
    if len(chosen) == count:
        return chosen
    raise NoFreePort(f"found {len(chosen)} of {count} free ports in {ATTEMPTS_MAX} attempts")


def accepts_connections(port: int, timeout_seconds: float = 0.5) -> bool:
    """Tell whether something listens on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout_seconds)
        return probe.connect_ex((LOOPBACK, port)) == 0
