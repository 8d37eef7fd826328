"""The clock's drift is asked of a time server over UDP; strange answers are no answers."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge_bridge.errors import ClockUnknown
from edge_bridge.host.drift import (
    SINCE_1900_S,
    DriftRules,
    DriftWatch,
    _write_time,
    ask_drift_ms,
)

NOW = 1_700_000_000.25
Answer = Callable[[bytes], bytes]


@contextmanager
def serve(answer: Answer) -> Iterator[int]:
    """A time server that answers one question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def run() -> None:
            request, asker = server.recvfrom(512)
            server.sendto(answer(request), asker)

        thread = threading.Thread(target=run)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def at(moment: float, stratum: int = 1, mode: int = 4) -> Answer:
    def answer(request: bytes) -> bytes:
        packet = bytearray(48)
        packet[0], packet[1] = 0x20 | mode, stratum
        packet[24:32] = request[40:48]
        packet[32:40] = packet[40:48] = _write_time(moment)
        return bytes(packet)

    return answer


@pytest.mark.parametrize("ahead_s", [0.0, 0.5, -3.25, 7_200.0])
def test_the_drift_is_how_far_we_are_ahead(ahead_s: float) -> None:
    with serve(at(NOW)) as port:
        drift = ask_drift_ms("127.0.0.1", lambda: NOW + ahead_s, port)
    assert drift == pytest.approx(ahead_s * 1_000, abs=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        at(NOW, stratum=0),
        at(NOW, stratum=16),
        at(NOW, mode=3),
        lambda request: b"",
        lambda request: request,
        lambda request: at(NOW)(bytes(48)),
    ],
    ids=["kiss of death", "unsynchronised", "a question", "empty", "echo", "another's question"],
)
def test_a_strange_answer_is_no_answer(answer: Answer) -> None:
    with serve(answer) as port, pytest.raises(ClockUnknown):
        ask_drift_ms("127.0.0.1", lambda: NOW, port)


def test_times_survive_the_wire() -> None:
    seconds, fraction = struct.unpack("!II", _write_time(NOW))
    assert (seconds - SINCE_1900_S, fraction) == (1_700_000_000, 2**30)


def test_verdicts_follow_the_rules_both_ways() -> None:
    rules = DriftRules(warn_ms=100, hold_ms=2_000)
    judged = [rules.judge(each) for each in (None, 0, 99, -100, 1_999, -2_000)]
    assert judged == ["unknown", "good", "good", "drifting", "drifting", "wrong"]


def test_the_next_server_is_asked_and_the_last_answer_kept() -> None:
    answers = {"a": iter([ClockUnknown("silent")] * 2), "b": iter([150.0, ClockUnknown("silent")])}
    asked: list[str] = []

    def ask(server: str) -> float:
        asked.append(server)
        answer = next(answers[server])
        if isinstance(answer, ClockUnknown):
            raise answer
        return answer

    watch = DriftWatch(("a", "b"), DriftRules(), ask=ask)
    watch.look()
    assert (asked, watch.verdict) == (["a", "b"], "drifting")
    watch.look()
    assert watch.drift_ms == 150.0


def test_the_watch_asks_in_its_own_thread_and_stops() -> None:
    asked = threading.Event()

    def ask(_: str) -> float:
        asked.set()
        return 3_000.0

    watch = DriftWatch(("a",), DriftRules(), every_s=60, ask=ask)
    watch.start()
    assert asked.wait(5)
    watch.stop()
    assert watch.verdict == "wrong"
