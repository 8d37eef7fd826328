"""A plan's limits hold over all of a tenant's connections, from the moment it changes."""

import pytest

from contracts.data_bridge import Bar
from edge_bridge.stream.hub import Hub, NotStreamable
from edge_bridge.stream.plans import StreamLimits, read_limits
from tests.edge_bridge.stream.stream_kit import Person, Stream, make_plan, run_stream

PAIRS = [f"PAIR{number:02}" for number in range(12)]


def declare(stream: Stream) -> None:
    for pair in PAIRS:
        stream.hub.declare_symbol(pair, 5)


def refused_code(client: object, **request: object) -> str:
    client.ask(op="subscribe", channel="ticks", **request)  # type: ignore[attr-defined]
    return str(client.expect("error")["code"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tier", "given", "limits"),
    [
        ("free", {"symbols": ("EURUSD",)}, StreamLimits(frozenset({"EURUSD"}), 1, 2)),
        ("pro", {}, StreamLimits(None, 10, 10)),
        ("enterprise", {}, StreamLimits(None, None, 100)),
        ("pro", {"max_symbols": 3}, StreamLimits(None, 3, 10)),
    ],
)
def test_a_plan_says_which_and_how_many(tier: str, given: dict, limits: StreamLimits) -> None:  # type: ignore[type-arg]
    assert read_limits(make_plan(tier, **given)) == limits  # type: ignore[arg-type]


def test_free_streams_its_one_symbol(stream: Stream) -> None:
    declare(stream)
    person = stream.newcomer(make_plan("free", symbols=("EURUSD",)))
    with stream.enter(person) as client:
        client.follow()
        client.follow("bars", timeframe="M1")
        client.follow("orders")
        assert refused_code(client, symbol=PAIRS[0]) == "not_entitled"
        assert refused_code(client, symbol="NOSUCH") == "not_entitled"


def test_pro_streams_ten_symbols_over_all_its_connections(stream: Stream) -> None:
    declare(stream)
    person = stream.newcomer(make_plan("pro"))
    with stream.enter(person) as one, stream.enter(person) as two:
        for pair in PAIRS[:6]:
            one.follow(symbol=pair)
        for pair in PAIRS[4:10]:
            two.follow(symbol=pair)
        assert refused_code(two, symbol=PAIRS[10]) == "not_entitled"
        two.ask(op="unsubscribe", channel="ticks", symbol=PAIRS[4])  # the other still has it
        two.expect("unsubscribed")
        assert refused_code(two, symbol=PAIRS[10]) == "not_entitled"
        two.ask(op="unsubscribe", channel="ticks", symbol=PAIRS[9])
        two.expect("unsubscribed")
        two.follow(symbol=PAIRS[10])


def test_connections_of_a_tenant_are_bounded_and_free_again_once_closed(stream: Stream) -> None:
    person = stream.newcomer(make_plan("free"))
    with stream.enter(person) as first:
        with stream.enter(person), stream.connect() as third:
            third.ask(op="auth", token=person.sign())
            assert third.closes() == (4429, "too_many_connections")
        assert first.is_quiet()
        with stream.enter(person) as again:
            assert again.is_quiet()


def test_a_smaller_plan_ends_what_it_does_not_give(stream: Stream) -> None:
    declare(stream)
    person = stream.newcomer(make_plan("enterprise"))
    with stream.enter(person) as old, stream.enter(person) as middle, stream.enter(person) as new:
        old.follow(symbol=PAIRS[3])
        old.follow(symbol=PAIRS[1])
        middle.follow(symbol=PAIRS[3])
        middle.follow(symbol=PAIRS[2])
        middle.follow("orders")
        stream.hub.set_entitlements(person.tenant_id, make_plan("free", 2, symbols=tuple(PAIRS)))
        assert new.closes() == (4429, "too_many_connections")
        assert old.expect("unsubscribed") == {
            "op": "unsubscribed", "channel": "ticks", "symbol": PAIRS[1], "code": "not_entitled",
        }  # fmt: skip
        assert middle.expect("unsubscribed")["symbol"] == PAIRS[2]
        for pair in PAIRS[1:4]:
            stream.tick(1, pair)
        assert old.expect("delta")["symbol"] == PAIRS[3]
        assert middle.expect("delta")["symbol"] == PAIRS[3]
        assert old.is_quiet()
        assert middle.is_quiet()
        stream.hub.publish_private(person.tenant_id, "orders", "o", {"kept": True})
        assert middle.expect("delta")["channel"] == "orders"


def test_a_larger_plan_opens_more_at_once(stream: Stream) -> None:
    declare(stream)
    person = stream.newcomer(make_plan("free", symbols=("EURUSD",)))
    with stream.enter(person) as client:
        client.follow()
        assert refused_code(client, symbol=PAIRS[0]) == "not_entitled"
        stream.hub.set_entitlements(person.tenant_id, make_plan("pro", 2))
        answer: dict[str, object] = {"op": "error"}
        for _ in range(100):  # the change travels to the server's thread
            client.ask(op="subscribe", channel="ticks", symbol=PAIRS[0])
            answer = client.take()
            if answer["op"] != "error":
                break
        assert answer["op"] == "subscribed"


def test_a_token_that_may_not_read_is_refused(stream: Stream) -> None:
    class Mute(Person):
        def sign(self, *_: object, **__: object) -> str:
            import jwt

            from functions.user_service.logic.tokens import derive_key
            from tests.edge_bridge.stream.stream_kit import SEED

            claims = jwt.decode(Person.sign(self), options={"verify_signature": False})
            headers = {"kid": self.signer.key_id, "typ": "at+jwt"}
            key = derive_key(SEED)
            return jwt.encode(claims | {"scope": "trade"}, key, algorithm="EdDSA", headers=headers)

    mute = Mute()
    stream.hub.set_entitlements(mute.tenant_id, make_plan())
    with stream.connect() as client:
        client.ask(op="auth", token=mute.sign())
        assert client.closes() == (4403, "forbidden")


def test_streams_of_one_connection_are_bounded() -> None:
    with run_stream(subscriptions_max=2) as stream:
        declare(stream)
        with stream.enter(stream.newcomer()) as client:
            client.follow("orders")
            client.follow(symbol=PAIRS[0])
            assert refused_code(client, symbol=PAIRS[1]) == "too_many_subscriptions"


def make_bar(open_ns: int, close: int) -> Bar:
    return Bar(open_ns=open_ns, open=1, high=9, low=1, close=close, spread=2, ticks=4)


def test_bars_tell_whether_they_are_complete(stream: Stream) -> None:
    person = stream.newcomer()
    stream.hub.publish_bar("EURUSD", 5, "M5", make_bar(0, 5), closed=True)
    stream.hub.publish_bar("EURUSD", 5, "M5", make_bar(300, 6), closed=False)
    with stream.enter(person) as client:
        items = client.follow("bars", timeframe="M5")["snapshot"]["items"]
        assert [(bar["open_ns"], bar["closed"]) for bar in items] == [(0, True), (300, False)]
        stream.hub.publish_bar("EURUSD", 5, "M1", make_bar(300, 6), closed=False)
        stream.hub.publish_bar("EURUSD", 5, "M5", make_bar(300, 7), closed=True)
        delta = client.expect("delta")
        assert (delta["timeframe"], delta["items"][0]["close"]) == ("M5", 7)
        assert client.is_quiet()


def test_a_symbol_never_changes_its_digits() -> None:
    hub = Hub("edge")
    hub.publish_ticks("EURUSD", 5, [1], [1], [2])
    with pytest.raises(NotStreamable, match="5 digits"):
        hub.publish_ticks("EURUSD", 4, [1], [1], [2])


def test_columns_of_different_lengths_are_refused_whole() -> None:
    hub = Hub("edge")
    with pytest.raises(ValueError, match="zip"):
        hub.publish_ticks("EURUSD", 5, [1, 2], [1], [2])
    assert hub.take_changes()[0] == []
