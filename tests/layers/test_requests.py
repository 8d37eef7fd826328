"""The request log's near end: bounded, batched, sent to a real queue, and never in the way."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contracts.api_gateway import RequestsServed, ServedRequest
from contracts.ids import uuid7
from kit import requests as near_end
from kit.aws import client
from kit.consumer import read_message
from kit.requests import BATCH_MAX, QUEUE_VARIABLE, WAITING_MAX, RequestLog, open_request_log
from tests.support.builders import NOW, raw_record

QUEUE = "sinyal-test-api-gateway"


def record(**change: Any) -> ServedRequest:
    fields: dict[str, Any] = {
        "request_id": uuid7(),
        "tenant_id": uuid7(),
        "user_id": None,
        "method": "GET",
        "route": "/v1/users/me",
        "status": 200,
        "latency_ms": 1.5,
        "credential": "session",
        "served_at": NOW,
    }
    return ServedRequest(**{**fields, **change})


@pytest.fixture
def queue(aws: str) -> Iterator[str]:
    url = client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
    yield str(url)
    client("sqs").delete_queue(QueueUrl=url)


def receive(url: str, wait_s: int = 0) -> list[RequestsServed]:
    answer = client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s
    )
    envelopes = [read_message(raw_record(m["Body"])) for m in answer.get("Messages", [])]
    assert all(isinstance(e.data, RequestsServed) for e in envelopes)
    return [e.data for e in envelopes if isinstance(e.data, RequestsServed)]


def test_records_travel_in_one_message_and_are_read_back(queue: str) -> None:
    requests = RequestLog(QUEUE)
    records = [record(status=status) for status in (200, 404, 429)]
    for one in records:
        requests.add(one)
    assert requests.flush() == 3
    [message] = receive(queue)
    assert list(message.requests) == records
    assert requests.flush() == 0


def test_many_records_take_several_bounded_messages(queue: str) -> None:
    requests = RequestLog(QUEUE)
    for _ in range(BATCH_MAX + 5):
        requests.add(record())
    assert [requests.flush(), requests.flush()] == [BATCH_MAX, 5]
    assert sorted(len(message.requests) for message in receive(queue)) == [5, BATCH_MAX]


def test_past_the_bound_the_oldest_go_and_are_counted(
    queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = RequestLog(QUEUE)
    for number in range(WAITING_MAX + 3):
        requests.add(record(latency_ms=float(number)))
    assert requests.flush() == BATCH_MAX
    [message] = receive(queue)
    assert message.requests[0].latency_ms == 3.0
    assert '"records":3' in capsys.readouterr().out


def test_a_queue_that_is_gone_costs_records_and_nothing_else(aws: str) -> None:
    requests = RequestLog("no-such-queue")
    requests.add(record())
    assert requests.flush() == 0


def test_the_thread_sends_by_itself(queue: str) -> None:
    requests = RequestLog(QUEUE)
    requests.run_thread()
    requests.add(record())
    assert len(receive(queue, wait_s=5)) == 1


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's Extensions API: hands out invocations when told, shuts down at the end."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ExtensionsHandler)
        self.registered: list[dict[str, Any]] = []
        self.asked_next = threading.Semaphore(0)
        self.invocations = threading.Semaphore(0)
        self.ended = False


class _ExtensionsHandler(BaseHTTPRequestHandler):
    server: RuntimeApi

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.registered.append({"name": self.headers["lambda-extension-name"], **body})
        self._answer({}, {"Lambda-Extension-Identifier": "ext-1"})

    def do_GET(self) -> None:
        assert self.headers["lambda-extension-identifier"] == "ext-1"
        self.server.asked_next.release()
        assert self.server.invocations.acquire(timeout=20)
        self._answer({"eventType": "SHUTDOWN" if self.server.ended else "INVOKE"}, {})

    def _answer(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_parts: Any) -> None:
        """Say nothing."""


def test_in_lambda_the_freeze_waits_for_the_record(queue: str) -> None:
    """The extension asks for the next invocation only when the record of this one is sent."""
    api = RuntimeApi()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    try:
        requests = RequestLog(QUEUE)
        requests.run_extension(f"127.0.0.1:{api.server_port}")
        assert api.registered == [{"name": "sinyal-request-log", "events": ["INVOKE"]}]
        for _ in range(2):
            assert api.asked_next.acquire(timeout=10)
            api.invocations.release()
            requests.add(record())
        assert api.asked_next.acquire(timeout=10)
        assert sum(len(message.requests) for message in receive(queue)) == 2
        api.ended = True
        api.invocations.release()
    finally:
        api.shutdown()
        api.server_close()


def test_without_a_queue_there_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(QUEUE_VARIABLE, raising=False)
    open_request_log.cache_clear()
    assert open_request_log() is None
    near_end.note_request(request_id=uuid7())
    open_request_log.cache_clear()
