"""Builders of what the doors receive: envelopes, SQS records, REST API events."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope, Message
from contracts.ids import uuid7
from contracts.permissions import ROLE_SCOPES

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class FixedClock:
    """A clock that moves when told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.current = now

    def now(self) -> datetime:
        return self.current

    def advance(self, **parts: float) -> None:
        self.current += timedelta(**parts)


def wrap(message: Message, tenant_id: UUID | None = None, now: datetime = NOW) -> Envelope:
    return Envelope.wrap(message, tenant_id=tenant_id, now=now)


def sqs_record(envelope: Envelope, queue: str = "test-queue") -> dict[str, Any]:
    """An SQS record that carries the envelope as EventBridge would deliver it."""
    body = {
        "version": "0",
        "id": str(uuid7()),
        "detail-type": envelope.detail_type,
        "source": envelope.source,
        "account": "000000000000",
        "time": envelope.meta.occurred_at.isoformat(),
        "region": "ap-southeast-3",
        "resources": [],
        "detail": json.loads(envelope.to_json()),
    }
    return raw_record(json.dumps(body), queue)


def raw_record(body: str, queue: str = "test-queue") -> dict[str, Any]:
    return {
        "messageId": str(uuid7()),
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:ap-southeast-3:000000000000:{queue}",
        "awsRegion": "ap-southeast-3",
    }


def sqs_event(*envelopes: Envelope) -> dict[str, Any]:
    return {"Records": [sqs_record(envelope) for envelope in envelopes]}


def api_event(
    method: str,
    path: str,
    *,
    body: Any = None,
    principal: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A REST API proxy event (payload 1.0); ``principal`` is the authorizer's context."""
    raw = body if isinstance(body, str) or body is None else json.dumps(body)
    all_headers = {"content-type": "application/json", "host": "api.test", **(headers or {})}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": all_headers,
        "multiValueHeaders": {key: [value] for key, value in all_headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()} or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "test",
            "path": path,
            "httpMethod": method,
            "requestId": str(uuid7()),
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {k: str(v) for k, v in principal.items()} if principal else None,
        },
        "body": raw,
        "isBase64Encoded": False,
    }


def principal(tenant_id: UUID, **overrides: Any) -> dict[str, Any]:
    """An authorizer context: the owner of a tenant, on the free tier unless told otherwise.

    The scope is what the role's own tokens have; ``stepped_up_at`` is epoch seconds as text.
    """
    role = overrides.get("role", "owner")
    return {
        "user_id": str(uuid7()),
        "tenant_id": str(tenant_id),
        "role": "owner",
        "tier": "free",
        "scope": " ".join(ROLE_SCOPES[role]),
        "session_id": str(uuid7()),
        "platform_admin": "false",
        **overrides,
    }


def read_answer(answer: dict[str, Any]) -> tuple[int, Any]:
    """Status and parsed JSON body of a handler's answer."""
    return answer["statusCode"], json.loads(answer["body"]) if answer.get("body") else None
