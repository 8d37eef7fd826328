"""Calls the room's doors as a member of a tenant, for the tests of its subjects."""

import time
from typing import Any
from uuid import UUID

from contracts.envelope import Message
from contracts.subscription_service import EntitlementsChanged
from functions.trading_engine import api, consumer
from tests.support.builders import api_event, principal, read_answer, sqs_event, wrap

LIVE: dict[str, Any] = {
    "mode": "live",
    "login": 7_001_001,
    "server": "Broker-Live",
    "password": "p4ss-w0rd-of-the-broker",
    "currency": "USD",
}


def call(
    method: str, path: str, tenant: UUID, *, fresh: bool = False, **parts: Any
) -> tuple[int, Any]:
    """A request of a member; ``fresh`` shows a second factor just now, ``who`` says who asks."""
    who = dict(parts.pop("who", {}))
    if fresh:
        who["stepped_up_at"] = str(int(time.time()))
    event = api_event(method, path, principal=principal(tenant, **who), **parts)
    return read_answer(api.handler(event, None))


def tell(message: Message, tenant: UUID | None) -> bool:
    """Give the room's queue a message; False when it was refused."""
    answer: dict[str, Any] = consumer.handler(sqs_event(wrap(message, tenant)), None)
    return answer == {"batchItemFailures": []}


def entitle(tenant: UUID, **fields: Any) -> None:
    """Give the tenant a plan."""
    plan = {
        "version": 1,
        "tier": "enterprise",
        "symbols": ("*",),
        "predictions_per_day": None,
        "prediction_delay_s": 0,
        "live_accounts": 2,
        "paper_accounts": 2,
    }
    assert tell(EntitlementsChanged(**{**plan, **fields}), tenant)


def link_paper(tenant: UUID) -> UUID:
    entitle(tenant)
    status, body = call("POST", "/v1/accounts", tenant, body={"mode": "paper"})
    assert status == 201, body
    return UUID(body["account_id"])
