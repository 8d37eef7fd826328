"""The edge's only dealings with AWS: the bus, the market-data queue and its own queue.

Every call has timeouts and a bounded number of tries; what was not taken is simply not reported
as sent, and the caller keeps it.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from edge_bridge.errors import QueueMissing
from edge_bridge.link.journal import OutboxRow

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

ENTRIES_MAX = 10
CALL_BYTES_MAX = 240_000
"""Both services take 256 KB a call; the rest is for names and quotes."""
LONG_POLL_S = 10
READ_TIMEOUT_S = 15
VISIBILITY_S = 5
"""Storing a message takes milliseconds; one that we died with comes back soon."""
ERRORS = (BotoCoreError, ClientError)
ENTRY_FAULTS = frozenset({"InvalidArgument", "MalformedDetail", "RedactionFailure"})
"""Of the bus: the entry itself is wrong. Any other code (throttled, internal, not allowed to write)
says nothing against the message, and it is sent again until it is taken."""


CALL_FAULTS = frozenset(
    {
        "ValidationException", "BatchRequestTooLong", "InvalidMessageContents",
        "InvalidParameterValue", "RequestEntityTooLarge",
    }
)  # fmt: skip
"""A whole call is refused because of what is in it; such a call would be refused for ever."""


class Sender(Protocol):
    """Takes messages; tells which it took, and which it will never take as they are."""

    def send(self, rows: Sequence[OutboxRow]) -> "Taken":
        """Send rows in one call. Raises BotoCoreError or ClientError when nothing was taken."""


class Taken(NamedTuple):
    """What became of a call's rows; rows in neither list may be sent again."""

    sent: list[OutboxRow]
    refused: list[OutboxRow]


class Received(NamedTuple):
    """A message of the edge queue."""

    handle: str
    body: str


def make_config() -> Config:
    """Timeouts and tries of every client."""
    return Config(
        connect_timeout=2,
        read_timeout=READ_TIMEOUT_S,
        retries={"total_max_attempts": 2, "mode": "standard"},
        tcp_keepalive=True,
        parameter_validation=False,
    )


def split_calls(rows: Sequence[OutboxRow]) -> list[list[OutboxRow]]:
    """Cut rows into calls of at most ten entries and 240 KB; a larger row goes alone."""
    calls: list[list[OutboxRow]] = []
    size = 0
    for row in rows:
        length = len(row.body.encode())
        if not calls or len(calls[-1]) == ENTRIES_MAX or size + length > CALL_BYTES_MAX:
            calls.append([])
            size = 0
        calls[-1].append(row)
        size += length
    return calls


def send_or_part(send: Callable[[Sequence[OutboxRow]], Taken], rows: Sequence[OutboxRow]) -> Taken:
    """Send rows in one call; when that is refused for its content, each alone, so that the one at
    fault is found and holds nothing up."""
    try:
        return send(rows)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]
        if code not in CALL_FAULTS:
            raise
    if len(rows) == 1:
        return Taken([], list(rows))
    parts = [send_or_part(send, [row]) for row in rows]
    return Taken([r for part in parts for r in part.sent], [r for p in parts for r in p.refused])


class EventBus:
    """EventBridge; the success of every single entry is checked."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._client = boto3.client("events", config=make_config())

    def send(self, rows: Sequence[OutboxRow]) -> Taken:
        """Put events on the bus, in order."""
        return send_or_part(self._send, rows)

    def _send(self, rows: Sequence[OutboxRow]) -> Taken:
        entries: list[PutEventsRequestEntryTypeDef] = [
            {
                "EventBusName": self._name,
                "Source": row.source,
                "DetailType": row.detail_type,
                "Detail": row.body,
            }
            for row in rows
        ]
        answer = self._client.put_events(Entries=entries)
        if answer["FailedEntryCount"] == 0:
            return Taken(list(rows), [])
        taken = Taken([], [])
        for row, entry in zip(rows, answer["Entries"], strict=True):
            if entry.get("EventId"):
                taken.sent.append(row)
            elif entry.get("ErrorCode") in ENTRY_FAULTS:
                taken.refused.append(row)
        return taken


class MarketQueue:
    """The queue of tick batches."""

    def __init__(self, name: str) -> None:
        self._client = boto3.client("sqs", config=make_config())
        self._url = find_queue(self._client, name)

    def send(self, rows: Sequence[OutboxRow]) -> Taken:
        """Send messages in the form that the bus would give them."""
        return send_or_part(self._send, rows)

    def _send(self, rows: Sequence[OutboxRow]) -> Taken:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(i), "MessageBody": wrap_body(row)} for i, row in enumerate(rows)
        ]
        answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        sent = [rows[int(entry["Id"])] for entry in answer.get("Successful", [])]
        refused = [
            rows[int(entry["Id"])] for entry in answer.get("Failed", []) if entry["SenderFault"]
        ]
        return Taken(sent, refused)


class EdgeQueue:
    """The queue of messages for this edge."""

    def __init__(self, name: str) -> None:
        self._client = boto3.client("sqs", config=make_config())
        self._url = find_queue(self._client, name)

    def receive(self, wait_s: int) -> list[Received]:
        """Take up to ten messages, waiting for the first."""
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=ENTRIES_MAX,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=VISIBILITY_S,
        )
        return [
            Received(message["ReceiptHandle"], message["Body"])
            for message in answer.get("Messages", [])
        ]

    def delete(self, handles: Sequence[str]) -> None:
        """Delete messages that are stored here; one that stays comes again and is known."""
        entries = [{"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(handles)]
        self._client.delete_message_batch(
            QueueUrl=self._url,
            Entries=entries,  # type: ignore[arg-type]
        )

    def put_back(self, handle: str, seconds: int) -> None:
        """Let a message that cannot be read come again, on its way to the dead-letter queue."""
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=seconds
        )

    def count(self) -> int:
        """Messages waiting or in flight, about."""
        answer = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(int(value) for value in answer["Attributes"].values())


def wrap_body(row: OutboxRow) -> str:
    """A message as an EventBridge event, the one form that rooms read."""
    source, kind = json.dumps(row.source), json.dumps(row.detail_type)
    return f'{{"source":{source},"detail-type":{kind},"detail":{row.body}}}'


def find_queue(client: "SQSClient", name: str) -> str:
    """The address of a queue. Raises QueueMissing."""
    try:
        return client.get_queue_url(QueueName=name)["QueueUrl"]
    except ERRORS as error:
        raise QueueMissing(f"{name}: {error}") from error
