"""Ports of the local stack are free, different, and out of the kernel's way."""

import socket

import pytest

from iac.local import ports


def test_chosen_ports_are_different_and_free() -> None:
    chosen = ports.choose_ports(20)
    assert len(set(chosen)) == 20
    assert all(ports.port_is_free(port) for port in chosen)
    assert all(ports.LOWEST_PORT <= port <= ports.HIGHEST_PORT for port in chosen)


def test_a_port_with_a_listener_is_taken() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        assert not ports.port_is_free(port)
        assert ports.accepts_connections(port)
    assert not ports.accepts_connections(port)


def test_no_free_port_is_an_error_and_no_endless_search(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        monkeypatch.setattr(ports, "LOWEST_PORT", taken)
        monkeypatch.setattr(ports, "HIGHEST_PORT", taken)
        with pytest.raises(ports.NoFreePort, match="found 0 of 1"):
            ports.choose_ports(1)
