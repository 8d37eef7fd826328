"""The live edge beside the deployed stack: a tenant's own token opens its stream."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from iac.local.edge import start_edge_host
from iac.local.stack import Stack
from tests.support.deployed import DeployedStack
from tests.support.people import Person, eventually, sign_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEED = 30.0
MESSAGES_MAX = 500


@pytest.fixture(scope="module")
def edge(stack: Stack) -> Iterator[Stack]:
    """The process that `make up` runs, faster."""
    part = start_edge_host(stack, SPEED)
    yield stack
    assert part.is_running()
    part.stop()


@pytest.fixture(scope="module")
def owner(edge: Stack) -> Person:
    return sign_up(DeployedStack(edge), "pro")


def read(socket: Any, wanted: str) -> dict[str, Any]:
    """The next message of a kind; others may come before it."""
    for _ in range(MESSAGES_MAX):
        message: dict[str, Any] = json.loads(socket.recv(20))
        if message["op"] == wanted:
            return message
    raise AssertionError(f"no {wanted} among {MESSAGES_MAX} messages")


def find_connected(owner: Person, account_id: str) -> dict[str, Any] | None:
    """The account, once the edge has confirmed it and its worker is up."""
    items = owner.expect(200, "GET", "/v1/accounts")["items"]
    found = next(each for each in items if each["account_id"] == account_id)
    return found if found["confirmed"] and found["health"] == "connected" else None


def test_a_linked_account_is_confirmed_and_seen_on_the_stream(edge: Stack, owner: Person) -> None:
    account = owner.expect(201, "POST", "/v1/accounts", {"mode": "paper"})
    eventually(lambda: find_connected(owner, account["account_id"]), "the account at its worker")
    with connect(edge.describe()["websocket"], compression=None) as socket:
        socket.send(json.dumps({"op": "auth", "token": owner.token}))
        assert read(socket, "authenticated")
        socket.send(json.dumps({"op": "subscribe", "channel": "account"}))
        assert account["account_id"] in json.dumps(read(socket, "snapshot"))
        socket.send(json.dumps({"op": "subscribe", "channel": "ticks", "symbol": "EURUSD"}))
        assert read(socket, "delta")["items"]


def test_a_stranger_stays_outside(edge: Stack) -> None:
    with connect(edge.describe()["websocket"], compression=None) as socket:
        socket.send(json.dumps({"op": "auth", "token": "no.such.token"}))
        with pytest.raises(ConnectionClosed):
            for _ in range(MESSAGES_MAX):
                socket.recv(20)
