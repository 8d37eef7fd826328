"""A tenant sees its own orders, positions and account, and nobody else's, whatever it says."""

import itertools
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from edge_bridge.stream.hub import Hub, NotStreamable
from edge_bridge.stream.topics import Channel
from tests.edge_bridge.stream.stream_kit import Person, Stream, run_stream

CHANNELS: tuple[Channel, ...] = ("orders", "positions", "account")
SECRET = "the-other-tenant's"


def publish(stream: Stream, tenant_id: UUID, word: str) -> None:
    for channel in CHANNELS:
        stream.hub.publish_private(tenant_id, channel, "k1", {"word": word, "of": str(tenant_id)})


def follow_all(client: Any) -> dict[str, Any]:
    return {channel: client.follow(channel) for channel in CHANNELS}


def test_two_tenants_get_each_their_own(stream: Stream) -> None:
    mine, theirs = stream.newcomer(), stream.newcomer()
    publish(stream, mine.tenant_id, "mine")
    publish(stream, theirs.tenant_id, SECRET)
    with stream.enter(mine) as client, stream.enter(theirs) as other:
        for answer in follow_all(client).values():
            assert [item["value"]["word"] for item in answer["snapshot"]["items"]] == ["mine"]
        follow_all(other)
        publish(stream, theirs.tenant_id, SECRET + "-later")
        for _ in CHANNELS:
            assert other.expect("delta")["items"][0]["value"]["word"] == SECRET + "-later"
        assert client.is_quiet()
        assert SECRET not in json.dumps(client.got)


def ways_to_name(victim: UUID) -> list[dict[str, Any]]:
    """Requests that try to name another tenant."""
    base = {"op": "subscribe", "channel": "orders"}
    names = ["tenant", "tenant_id", "tid", "account", "account_id", "user", "key", "name", "sub"]
    values: list[Any] = [str(victim), victim.hex, {"tenant_id": str(victim)}, [str(victim)]]
    tries = [base | {name: value} for name, value in itertools.product(names, values)]
    tries += [base | {"symbol": str(victim)}, base | {"symbol": f"{victim}"[:29]}]
    tries += [base | {"channel": f"{victim}:orders"}, base | {"channel": ["orders", str(victim)]}]
    tries += [base | {"channel": "orders\x00" + str(victim)}, base | {"channel": "ORDERS"}]
    tries += [{"op": "subscribe", "channel": "ticks", "symbol": f"{victim}"[:29]}]
    tries += [{"op": "auth", "token": str(victim), "tenant_id": str(victim)}]
    return tries


def test_no_request_names_another_tenant(stream: Stream) -> None:
    mine, theirs = stream.newcomer(), stream.newcomer()
    publish(stream, theirs.tenant_id, SECRET)
    with stream.enter(mine) as client:
        for request in ways_to_name(theirs.tenant_id):
            client.ask(**request)
            assert client.expect("error")["code"] in ("bad_request", "not_found"), request
        publish(stream, theirs.tenant_id, SECRET)
        assert client.is_quiet()
        assert SECRET not in json.dumps(client.got)


def test_names_given_twice_change_nothing(stream: Stream) -> None:
    mine, theirs = stream.newcomer(), stream.newcomer()
    publish(stream, theirs.tenant_id, SECRET)
    with stream.enter(mine) as client:
        client.socket.send('{"op":"ping","op":"subscribe","channel":"ticks","channel":"orders"}')
        client.expect("subscribed")
        assert client.expect("snapshot")["items"] == []


def test_the_numbers_of_another_tenants_stream_resume_only_ones_own(stream: Stream) -> None:
    mine, theirs = stream.newcomer(), stream.newcomer()
    for number in range(20):
        publish(stream, theirs.tenant_id, f"{SECRET}-{number}")
    publish(stream, mine.tenant_id, "mine")
    with stream.enter(theirs) as other:
        epoch = other.follow("orders")["epoch"]
    with stream.enter(mine) as client:
        for position in (0, 1, 5, 20, 2**62):
            answer = client.follow("orders", from_seq=position, epoch=epoch)
            if answer["resumed"] and position == 0:
                assert client.expect("delta")["items"][0]["value"]["word"] == "mine"
            assert client.is_quiet()
            client.ask(op="unsubscribe", channel="orders")
            client.expect("unsubscribed")
        assert SECRET not in json.dumps(client.got)


def test_staff_see_no_other_tenant_either(stream: Stream) -> None:
    theirs = stream.newcomer()
    publish(stream, theirs.tenant_id, SECRET)
    staff = stream.newcomer()
    with stream.connect() as client:
        client.enter(staff.sign(platform_admin=True, support=True))
        for answer in follow_all(client).values():
            assert answer["snapshot"]["items"] == []


def test_a_colleague_of_the_same_tenant_sees_the_same(stream: Stream) -> None:
    mine = stream.newcomer()
    colleague = Person(tenant_id=mine.tenant_id)
    publish(stream, mine.tenant_id, "ours")
    with stream.enter(colleague) as client:
        assert client.follow("orders")["snapshot"]["items"][0]["value"]["word"] == "ours"


def test_a_tenant_that_left_leaves_nothing_to_the_next_one_on_the_socket() -> None:
    """Connections come and go; each follows only what its own tenant published."""
    with run_stream() as stream:
        people = [stream.newcomer() for _ in range(20)]
        for person in people:
            publish(stream, person.tenant_id, str(person.tenant_id))
        for person in people + people[::-1]:
            with stream.enter(person) as client:
                for answer in follow_all(client).values():
                    words = {item["value"]["word"] for item in answer["snapshot"]["items"]}
                    assert words == {str(person.tenant_id)}


def test_removed_things_leave_the_snapshot(stream: Stream) -> None:
    mine = stream.newcomer()
    with stream.enter(mine) as client:
        client.follow("orders")
        stream.hub.publish_private(mine.tenant_id, "orders", "o1", {"lots": 3})
        stream.hub.publish_private(mine.tenant_id, "orders", "o1", None)
        items: list[Any] = []
        while len(items) < 2:
            items += client.expect("delta")["items"]
        assert items == [{"key": "o1", "value": {"lots": 3}}, {"key": "o1", "value": None}]
    with stream.enter(mine) as again:
        assert again.follow("orders")["snapshot"]["items"] == []


def test_what_was_published_cannot_be_changed_afterwards(stream: Stream) -> None:
    mine, payload = stream.newcomer(), {"lots": 3}
    stream.hub.publish_private(mine.tenant_id, "orders", "o1", payload)
    payload["lots"] = 4
    with stream.enter(mine) as client:
        assert client.follow("orders")["snapshot"]["items"][0]["value"] == {"lots": 3}


@pytest.mark.parametrize("payload", [{"a": object()}, {"a": "x" * 5_000}, {"a": 2**70}])
def test_what_cannot_be_streamed_is_told_to_the_host(payload: dict[str, Any]) -> None:
    with pytest.raises(NotStreamable):
        Hub("edge").publish_private(uuid4(), "orders", "o1", payload)


def test_market_data_cannot_be_published_as_private_nor_for_nobody() -> None:
    hub = Hub("edge")
    with pytest.raises(NotStreamable):
        hub.publish_private(uuid4(), "ticks", "o1", {})
    with pytest.raises(NotStreamable):
        hub.publish_private("tenant", "orders", "o1", {})  # type: ignore[arg-type]
