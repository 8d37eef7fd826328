"""The request log's near end: what a door answered goes to the gateway's queue, and nobody waits.

A request leaves one small record in memory. A thread sends what has gathered in one message. In AWS
Lambda a process is frozen as soon as it has answered, so the thread is registered as an internal
extension there: the answer leaves at once, and the freeze waits for the extension. What cannot be
sent is dropped with a count in the log: the log never costs a request.
"""

import http.client
import json
import os
import threading
from collections import deque
from functools import lru_cache
from typing import Any

from contracts.api_gateway import RequestsServed, ServedRequest
from contracts.envelope import Envelope
from kit.clock import SystemClock
from kit.observability import warn

QUEUE_VARIABLE = "REQUEST_LOG_QUEUE"
BATCH_MAX = 400
WAITING_MAX = 5_000
LINGER_S = 0.5
EXTENSION_WAIT_S = 3.0


class RequestLog:
    """Gathers records and sends them to a queue by the batch."""

    def __init__(self, queue_name: str) -> None:
        self._queue_name = queue_name
        self._queue_url: str | None = None
        self._waiting: deque[ServedRequest] = deque()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._arrived = threading.Event()
        self._dropped = 0

    def add(self, record: ServedRequest) -> None:
        """Keep a record until it is sent; past the bound the oldest goes."""
        with self._lock:
            self._waiting.append(record)
            if len(self._waiting) > WAITING_MAX:
                self._waiting.popleft()
                self._dropped += 1
        self._arrived.set()

    def flush(self) -> int:
        """Send what waits, at most one message; returns how many records went."""
        with self._sending:
            with self._lock:
                size = min(BATCH_MAX, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(size)]
                dropped, self._dropped = self._dropped, 0
            if dropped:
                warn("request records dropped", records=dropped)
            return self._send(batch) if batch else 0

    def _send(self, batch: list[ServedRequest]) -> int:
        import botocore.exceptions

        from kit.aws import client

        message = RequestsServed(requests=tuple(batch))
        envelope = Envelope.wrap(message, tenant_id=None, now=SystemClock().now())
        body = f'{{"type":"RequestsServed",{envelope.to_json()[1:]}'
        try:
            sqs = client("sqs")
            if self._queue_url is None:
                self._queue_url = str(sqs.get_queue_url(QueueName=self._queue_name)["QueueUrl"])
            sqs.send_message(QueueUrl=self._queue_url, MessageBody=body)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            warn("request records not sent", records=len(batch), error=type(error).__name__)
            return 0
        return len(batch)

    def run_thread(self) -> None:
        """Send in the background, for processes that are never frozen."""

        def run() -> None:
            while True:
                self._arrived.wait()
                self._arrived.clear()
                threading.Event().wait(LINGER_S)
                while self.flush() == BATCH_MAX:
                    pass

        threading.Thread(target=run, name="request-log", daemon=True).start()

    def run_extension(self, runtime_api: str) -> None:
        """Send after each invocation, as a Lambda internal extension."""
        extension = Extension(runtime_api)

        def run() -> None:
            while extension.next_event():
                self._arrived.wait(EXTENSION_WAIT_S)
                self._arrived.clear()
                self.flush()

        threading.Thread(target=run, name="request-log", daemon=True).start()


class Extension:
    """One registered internal extension."""

    def __init__(self, runtime_api: str) -> None:
        self._address = runtime_api
        answer, _ = self._call(
            "POST",
            "register",
            {"Lambda-Extension-Name": "sinyal-request-log"},
            json.dumps({"events": ["INVOKE"]}),
            timeout_s=2,
        )
        self._id = answer.getheader("Lambda-Extension-Identifier") or ""

    def next_event(self) -> bool:
        """Say that nothing is left to do, and wait for the next invocation; False at the end."""
        answer, body = self._call(
            "GET", "event/next", {"Lambda-Extension-Identifier": self._id}, None, timeout_s=None
        )
        return answer.status == http.HTTPStatus.OK and json.loads(body)["eventType"] == "INVOKE"

    def _call(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: str | None,
        timeout_s: float | None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self._address, timeout=timeout_s)
        connection.request(method, f"/2020-01-01/extension/{path}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content


@lru_cache(maxsize=1)
def open_request_log() -> RequestLog | None:
    """The process's log; None where no queue is named (a room run alone, tests)."""
    queue_name = os.environ.get(QUEUE_VARIABLE)
    if not queue_name:
        return None
    requests = RequestLog(queue_name)
    runtime_api = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    try:
        if runtime_api:
            requests.run_extension(runtime_api)
        else:
            requests.run_thread()
    except (OSError, http.client.HTTPException) as error:
        warn("no extension; records go by a thread", error=type(error).__name__)
        requests.run_thread()
    return requests


def note_request(**fields: Any) -> None:
    """Leave a record of an answered request, if there is a log."""
    requests = open_request_log()
    if requests is not None:
        requests.add(ServedRequest(**fields))
