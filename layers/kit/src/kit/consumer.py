"""The queue door: reads a batch, runs each message in its own transaction, reports failures.

A handler is ``(envelope, tx) -> None``: it runs once a message however often the queue delivers
it, because the inbox row commits with the work. A handler marked with ``own_transactions`` gets
``(envelope, database)`` instead, for work that calls a vendor between two transactions; it must be
idempotent by a natural key. Messages that no retry can mend go round quickly to the dead-letter
queue: nothing is ever dropped.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from contracts.envelope import Envelope, Message, Meta
from contracts.ids import derived_id
from contracts.registry import MESSAGES, UnknownMessage, parse_envelope
from kit.clock import SystemClock
from kit.context import RequestContext, use
from kit.db import Database, Transaction
from kit.errors import PoisonMessage, SinyalError
from kit.observability import get_logger, log, warn

TransactionHandler = Callable[[Envelope, Transaction], None]
DatabaseHandler = Callable[[Envelope, Database], None]
BatchHandler = Callable[[list[Envelope]], None]
Handlers = Mapping[type[Message], TransactionHandler | DatabaseHandler]
LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def own_transactions(handler: DatabaseHandler) -> DatabaseHandler:
    """Mark a handler that opens its own transactions and is idempotent by a natural key."""
    handler._own_transactions = True  # type: ignore[attr-defined]
    return handler


def read_message(record: Mapping[str, Any]) -> Envelope:
    """Read an SQS record: an EventBridge event, a bare envelope, or a schedule's command.

    Raises PoisonMessage when it is none of them or of a version this release does not know.
    """
    try:
        body = json.loads(record["body"])
        if "command" in body:
            return _read_command(record, body)
        if "detail-type" in body:
            return parse_envelope(body["detail-type"], body["detail"])
        return parse_envelope(body["type"], body)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        kind = type(error).__name__
        summary = str(error) if not isinstance(error, ValidationError) else _summary(error)
        raise PoisonMessage(f"{kind}: {summary}"[:500]) from error


def _summary(error: ValidationError) -> str:
    """Where a message is wrong, without the values (they may be personal)."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]
    )


def _read_command(record: Mapping[str, Any], body: Mapping[str, Any]) -> Envelope:
    contract = MESSAGES.get(body["command"])
    if contract is None:
        raise UnknownMessage(str(body["command"]))
    event_id = derived_id("command", record["messageId"])
    meta = Meta(
        event_id=event_id,
        tenant_id=None,
        occurred_at=SystemClock().now(),
        correlation_id=event_id,
        schema_version=contract.schema_version,
    )
    return Envelope(meta=meta, data=contract.model_validate(body.get("data") or {}))


def make_consumer(
    handlers: Handlers,
    open_room: Callable[[], Database],
) -> LambdaHandler:
    """Build a Lambda handler from a table of messages and use cases."""

    def handle(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        failures = []
        for record in event["Records"]:
            if not _handle_record(record, handlers, open_room):
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    return handle


def _handle_record(
    record: Mapping[str, Any],
    handlers: Handlers,
    open_room: Callable[[], Database],
) -> bool:
    """Run one message; False when it must come back."""
    name = "?"
    try:
        envelope = read_message(record)
        name = envelope.detail_type
        handler = handlers.get(type(envelope.data))
        if handler is None:
            raise PoisonMessage(f"no handler for {name} here")
        with use(RequestContext(envelope.meta.correlation_id)):
            if getattr(handler, "_own_transactions", False):
                handler(envelope, open_room())  # type: ignore[arg-type]
            else:
                _run_once(envelope, handler, open_room())  # type: ignore[arg-type]
            log("message handled", message_type=name, event_id=str(envelope.meta.event_id))
    except SinyalError as error:
        warn("message failed", message_type=name, code=error.code, detail=error.detail)
        if not error.retryable:
            _return_at_once(record)
        return False
    except Exception:  # noqa: BLE001 - the door is where an unknown failure becomes a redelivery
        get_logger().exception("message failed unexpectedly", extra={"message_type": name})
        return False
    return True


def _run_once(envelope: Envelope, handler: TransactionHandler, database: Database) -> None:
    """Run the handler and note the event in one transaction; an event noted before is done."""
    with database.transaction(envelope.meta.tenant_id, cause=envelope.meta) as tx:
        if take_message(tx, envelope, handler.__name__):
            handler(envelope, tx)


def take_message(tx: Transaction, envelope: Envelope, handler: str) -> bool:
    """Note the event in the room's inbox; False when it was noted before."""
    row = tx.fetch_one(
        "INSERT INTO inbox (event_id, handler, processed_at) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING event_id",
        [envelope.meta.event_id, handler, tx.now],
    )
    return row is not None


def _return_at_once(record: Mapping[str, Any]) -> None:
    """Make a hopeless message visible again now, so that it reaches the dead-letter queue soon."""
    import botocore.exceptions

    from kit.aws import client

    region, account, queue = str(record["eventSourceARN"]).split(":")[3:6]
    try:
        sqs = client("sqs")
        url = sqs.get_queue_url(QueueName=queue, QueueOwnerAWSAccountId=account)["QueueUrl"]
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
        )
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        warn("visibility not changed; the timeout does it", error=str(error), region=region)


def make_batch_consumer(
    handler: BatchHandler, contracts: Collection[type[Message]]
) -> LambdaHandler:
    """Build a Lambda handler that stores a whole batch in one go (ClickHouse).

    Unreadable messages, and those of no contract given, fail alone; a failed store fails all the
    others.
    """

    def handle(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        good: list[tuple[str, Envelope]] = []
        failed: list[str] = []
        for record in event["Records"]:
            try:
                envelope = read_message(record)
                if type(envelope.data) not in contracts:
                    raise PoisonMessage(f"no handler for {envelope.detail_type} here")
                good.append((record["messageId"], envelope))
            except PoisonMessage as error:
                warn("message failed", code=error.code, detail=error.detail)
                _return_at_once(record)
                failed.append(record["messageId"])
        failed += _store_batch(handler, good)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    return handle


def _store_batch(handler: BatchHandler, good: list[tuple[str, Envelope]]) -> Iterable[str]:
    if not good:
        return []
    try:
        handler([envelope for _, envelope in good])
    except Exception:  # noqa: BLE001 - the door is where an unknown failure becomes a redelivery
        get_logger().exception("batch failed", extra={"messages": len(good)})
        return [message_id for message_id, _ in good]
    log("batch stored", messages=len(good))
    return []
