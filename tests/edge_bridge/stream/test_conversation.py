"""Who may speak, what is understood, and how a connection ends."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.frames import Opcode

from edge_bridge.errors import StreamUnavailable
from tests.edge_bridge.stream.stream_kit import (
    SEED,
    Person,
    Stream,
    make_plan,
    run_stream,
    wait_until,
)
from tests.support.forgery import forge_tokens

DROPPED = (OSError, InvalidMessage, ConnectionClosed)
"""What a client sees of a server that hangs up on it."""


def test_ticks_come_as_a_snapshot_and_then_as_changes(stream: Stream) -> None:
    with stream.enter(stream.newcomer()) as client:
        answer = client.follow("ticks", id="mine")
        start = answer["seq"]
        assert (answer["id"], answer["digits"], answer["resumed"]) == ("mine", 5, False)
        assert answer["snapshot"]["seq"] == start
        assert len(answer["snapshot"]["items"]) == 1
        stream.tick(7, count=3)
        delta = client.expect("delta")
        assert delta == {
            "op": "delta", "channel": "ticks", "symbol": "EURUSD", "seq": start + 3,
            "items": [[7, 107, 108], [8, 108, 109], [9, 109, 110]],
        }  # fmt: skip


def test_the_first_message_must_be_a_token(stream: Stream) -> None:
    firsts: list[dict[str, Any]] = [{"op": "subscribe", "channel": "orders"}, {"op": "ping"}]
    for first in firsts:
        with stream.connect() as client:
            client.ask(**first)
            assert client.closes() == (4401, "unauthenticated")
            assert [message["code"] for message in client.got] == ["unauthenticated"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"op":"auth"}', '{"op":"auth","token":7}'])
def test_a_first_message_that_cannot_be_read_ends_the_connection(stream: Stream, text: str) -> None:
    with stream.connect() as client:
        client.socket.send(text)
        assert client.closes() == (4401, "bad_request")


def test_no_bad_token_opens_anything(stream: Stream) -> None:
    person = stream.newcomer()
    for kind, token in forge_tokens(person.sign(), SEED).items():
        if token:
            with stream.connect() as client:
                client.ask(op="auth", token=token)
                assert client.closes() == (4401, "token_refused"), kind


def test_who_says_nothing_is_shown_out() -> None:
    with run_stream(auth_deadline_s=0.1) as stream, stream.connect() as client:
        assert client.closes() == (4408, "auth_timeout")


def test_a_tenant_without_a_plan_is_refused(stream: Stream) -> None:
    with stream.connect() as client:
        client.ask(op="auth", token=Person().sign())
        assert client.closes() == (4403, "not_entitled")


REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"op": "fly"}, "bad_request"),
    ({"op": "subscribe"}, "bad_request"),
    ({"op": "subscribe", "channel": "ticks"}, "bad_request"),
    ({"op": "subscribe", "channel": "bars", "symbol": "EURUSD"}, "bad_request"),
    ({"op": "subscribe", "channel": "orders", "symbol": "EURUSD"}, "bad_request"),
    ({"op": "subscribe", "channel": "secrets"}, "bad_request"),
    ({"op": "subscribe", "channel": "ticks", "symbol": "E" * 30}, "bad_request"),
    ({"op": "subscribe", "channel": "ticks", "symbol": "EURUSD", "from_seq": 1}, "bad_request"),
    ({"op": "subscribe", "channel": "orders", "from_seq": -1, "epoch": "a"}, "bad_request"),
    ({"op": "subscribe", "channel": "orders", "from_seq": 1.5, "epoch": "a"}, "bad_request"),
    ({"op": "subscribe", "channel": "ticks", "symbol": "NOSUCH"}, "not_found"),
    ({"op": "unsubscribe", "channel": "ticks", "symbol": "EURUSD"}, "not_subscribed"),
    ({"op": "ping", "more": 1}, "bad_request"),
]


def test_a_request_that_cannot_be_done_is_answered_and_nothing_ends(stream: Stream) -> None:
    with stream.enter(stream.newcomer()) as client:
        for request, code in REQUESTS:
            client.ask(**request)
            error = client.expect("error")
            assert error["code"] == code, request
            assert error["detail"]
        client.socket.send(b"\x00\x01")
        assert client.expect("error")["code"] == "bad_request"
        client.follow()
        client.ask(op="subscribe", channel="ticks", symbol="EURUSD", id="again")
        assert client.take() | {"detail": ""} == {
            "op": "error", "code": "already_subscribed", "detail": "", "id": "again",
        }  # fmt: skip


def test_what_was_ended_comes_no_more(stream: Stream) -> None:
    with stream.enter(stream.newcomer()) as client:
        client.follow()
        client.ask(op="unsubscribe", channel="ticks", symbol="EURUSD")
        assert client.expect("unsubscribed")["symbol"] == "EURUSD"
        stream.tick(20)
        assert client.is_quiet()


def test_a_connection_ends_with_its_token_unless_a_new_one_is_shown() -> None:
    with run_stream() as stream:
        person = stream.newcomer()
        with stream.enter(person) as staying, stream.enter(person) as leaving:
            stream.clock.ahead = timedelta(minutes=9)
            staying.enter(person.sign(stream.clock.now()))
            stream.clock.ahead = timedelta(minutes=10, seconds=6)
            assert leaving.closes() == (4401, "token_expired")
            assert staying.is_quiet()


def test_a_connection_never_changes_its_tenant(stream: Stream) -> None:
    with stream.enter(stream.newcomer()) as client:
        client.ask(op="auth", token=stream.newcomer().sign())
        assert client.closes() == (4403, "forbidden")


def test_a_bad_token_shown_later_ends_the_connection(stream: Stream) -> None:
    with stream.enter(stream.newcomer()) as client:
        client.ask(op="auth", token="nonsense")
        assert client.closes() == (4401, "token_refused")


def test_a_revoked_session_is_cut_at_once_and_stays_out(stream: Stream) -> None:
    person, colleague = stream.newcomer(), Person()
    colleague.tenant_id = person.tenant_id
    with stream.enter(person) as client, stream.enter(colleague) as other:
        stream.hub.revoke(tenant_id=person.tenant_id, session_id=person.session_id)
        assert client.closes() == (4401, "access_ended")
        assert other.is_quiet()
    with stream.connect() as again:
        again.ask(op="auth", token=person.sign())
        assert again.closes() == (4401, "access_ended")


def test_a_users_tokens_of_before_an_instant_end_and_later_ones_count(stream: Stream) -> None:
    person = stream.newcomer()
    with stream.enter(person) as client:
        soon = stream.clock.now() + timedelta(milliseconds=1)
        stream.hub.revoke(user_id=person.user_id, before=soon)
        assert client.closes() == (4401, "access_ended")
    later = stream.clock.now() + timedelta(seconds=2)
    with stream.connect() as again:
        again.enter(person.sign(later))


def test_a_suspended_tenant_is_out_until_it_is_reinstated(stream: Stream) -> None:
    person, stranger = stream.newcomer(), stream.newcomer()
    with stream.enter(person) as client, stream.enter(stranger) as other:
        stream.hub.revoke(tenant_id=person.tenant_id)
        assert client.closes() == (4401, "access_ended")
        assert other.is_quiet()
    stream.hub.reinstate(person.tenant_id)
    with stream.enter(person) as again:
        assert again.is_quiet()


def test_a_revocation_of_another_tenant_says_nothing_about_this_one(stream: Stream) -> None:
    person = stream.newcomer()
    with stream.enter(person) as client:
        stream.hub.revoke(tenant_id=uuid4(), session_id=person.session_id)
        stream.hub.revoke(tenant_id=uuid4(), user_id=person.user_id)
        assert client.is_quiet()


def test_messages_too_large_or_too_many_end_the_connection() -> None:
    with run_stream(messages_burst=5, messages_per_second=0.1) as stream:
        person = stream.newcomer()
        with stream.enter(person) as client:
            client.ask(op="ping", id="x" * 20_000)
            assert client.closes()[0] == 1009
        with stream.enter(person) as client:
            for _ in range(6):
                client.ask(op="ping")
            assert client.closes() == (4429, "rate_limited")
            assert [each["op"] for each in client.got[1:]] == ["pong"] * 5 + ["error"]


def test_a_flood_of_control_frames_is_dropped() -> None:
    with run_stream() as stream, stream.enter(stream.newcomer()) as client:
        with pytest.raises(ConnectionClosed):
            for _ in range(10_000):
                client.socket.pong(b"x" * 100)
        assert stream.hub.metrics.closed.read("too_many_bytes") == 1


def test_connections_are_bounded_altogether() -> None:
    with run_stream(connections_max=3) as stream:
        person = stream.newcomer()
        with stream.enter(person), stream.enter(person), stream.enter(person) as client:
            with pytest.raises(DROPPED), stream.connect():
                pass
            assert client.is_quiet()

        def has_room() -> bool:
            try:
                with stream.enter(person) as client:
                    return client.is_quiet()
            except DROPPED:
                return False

        wait_until(has_room)


def test_a_client_that_answers_no_ping_is_dropped() -> None:
    with (
        run_stream(ping_interval_s=0.05, ping_timeout_s=0.1) as stream,
        stream.enter(stream.newcomer()) as client,
    ):
        protocol = client.socket.protocol
        usual = protocol.recv_frame
        ignores_pings = lambda frame: None if frame.opcode is Opcode.PING else usual(frame)  # noqa: E731
        protocol.recv_frame = ignores_pings  # type: ignore[method-assign]
        with pytest.raises(ConnectionClosed, match="ping timeout"):
            client.socket.recv(5)


def test_a_stop_tells_the_clients_to_come_back() -> None:
    with run_stream() as stream, stream.enter(stream.newcomer()) as client:
        stream.server.stop()
        assert client.closes() == (1001, "restart")
        stream.tick(1)  # publishing to a stream that has stopped harms nobody


def test_a_plan_is_known_by_its_version(stream: Stream) -> None:
    person = stream.newcomer(make_plan("free", 5))
    stream.hub.set_entitlements(person.tenant_id, make_plan("enterprise", 4))
    stream.tick(1, "GBPUSD")
    with stream.enter(person) as client:
        client.follow()
        client.ask(op="subscribe", channel="ticks", symbol="GBPUSD")
        assert client.expect("error")["code"] == "not_entitled"


def test_two_servers_cannot_have_one_port(stream: Stream) -> None:
    port = stream.server.port
    with pytest.raises(StreamUnavailable, match=str(port)), run_stream(port=port):
        pass


def test_answers_are_json_text(stream: Stream) -> None:
    with stream.connect() as client:
        client.ask(op="auth", token=stream.newcomer().sign())
        text = client.socket.recv(5)
        assert isinstance(text, str)
        assert json.loads(text)["op"] == "authenticated"
