"""A message that no retry can mend reaches the dead-letter queue at once, over real queues."""

import json
from typing import Any

import pytest

from contracts.ids import uuid7
from contracts.trading_engine import AccountUnlinked
from kit.aws import client
from kit.consumer import make_consumer
from kit.db import Database
from tests.support.builders import raw_record

MAX_TRIES = 4


def make_queue() -> tuple[str, str, str]:
    """A queue that hides a message for an hour and gives up after four tries."""
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName=f"dead-{uuid7()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": MAX_TRIES,
    }
    name = f"queue-{uuid7()}"
    url = sqs.create_queue(
        QueueName=name,
        Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "3600"},
    )["QueueUrl"]
    return name, url, dead


def receive(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("sqs").receive_message(QueueUrl=url).get("Messages", [])
    return found


def no_database() -> Database:
    raise AssertionError("nothing to read, nothing to open")


@pytest.mark.usefixtures("aws")
def test_an_unreadable_message_goes_round_without_waiting_and_is_kept() -> None:
    name, url, dead = make_queue()
    client("sqs").send_message(QueueUrl=url, MessageBody="{not json")
    handler = make_consumer({AccountUnlinked: lambda _envelope, _tx: None}, no_database)
    for _ in range(MAX_TRIES):
        (message,) = receive(url)
        record = raw_record(message["Body"], queue=name)
        record["receiptHandle"] = message["ReceiptHandle"]
        assert len(handler({"Records": [record]}, None)["batchItemFailures"]) == 1
    assert receive(url) == []
    (kept,) = receive(dead)
    assert kept["Body"] == "{not json"


@pytest.mark.usefixtures("aws")
def test_a_queue_that_cannot_be_reached_still_reports_the_failure() -> None:
    handler = make_consumer({AccountUnlinked: lambda _envelope, _tx: None}, no_database)
    record = raw_record("{", queue="no-such-queue")
    answer = handler({"Records": [record]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
