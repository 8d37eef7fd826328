"""Close the month: a schedule starts the billing run, tenants pay, receipts arrive."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from iac.local.demo.client import call_sandbox, list_rows, wait_for
from iac.local.demo.tenants import Tenant
from iac.local.stack import Stack

MONTH_END = timedelta(days=32)
"""Every period that starts now is over by then, whatever the month."""
TIMEOUT_S = 60.0


def schedule_billing(stack: Stack) -> datetime:
    """Have EventBridge Scheduler put the billing command on its queue, once, right away."""
    as_of = datetime.now(UTC) + MONTH_END
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=f"sinyal-{stack.stage}-billing-service")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    scheduler = stack.client("scheduler")
    role = scheduler.get_schedule(Name=find_billing_schedule(stack))["Target"]["RoleArn"]
    scheduler.create_schedule(
        Name=f"sinyal-{stack.stage}-close-month-now",
        ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": arn["QueueArn"],
            "RoleArn": role,
            "Input": json.dumps({"command": "RunBilling", "data": {"as_of": as_of.isoformat()}}),
        },
    )
    return as_of


def find_billing_schedule(stack: Stack) -> str:
    """The deployment's own daily billing schedule."""
    schedules = stack.client("scheduler").list_schedules(MaxResults=100)["Schedules"]
    return next(str(s["Name"]) for s in schedules if "billing" in s["Name"].lower())


def wait_for_invoices(tenant: Tenant, state: str) -> dict[str, Any]:
    """The tenant's invoice, once it is in a state."""

    def look() -> dict[str, Any] | None:
        items = tenant.client.expect(200, "GET", "/v1/invoices")["items"]
        return next((item for item in items if item["state"] == state), None)

    return wait_for(f"{tenant.plan}'s invoice to be {state}", look, TIMEOUT_S)


def pay_invoice(stack: Stack, tenant: Tenant, invoice_id: str) -> str:
    """Pay as the tenant would: read how, then transfer; returns Midtrans' order id."""

    def look() -> str | None:
        answer = tenant.client.call(
            "POST",
            f"/v1/invoices/{invoice_id}/payments",
            {"method": "bca_va"},
            **{"idempotency-key": f"pay-{invoice_id}"[:80]},
        )
        body = answer.json()
        return body["order_id"] if answer.status_code < 300 and body.get("va_number") else None

    order_id = wait_for(f"{tenant.plan}'s virtual account", look, TIMEOUT_S)
    call_sandbox(
        stack.sandboxes.urls["midtrans"],
        "POST",
        "pay",
        json={"order_id": order_id, "outcome": "settlement"},
    )
    return order_id


def wait_for_receipt(stack: Stack, tenant: Tenant, number: str) -> None:
    """The receipt in the tenant's Telegram chat."""
    url = stack.sandboxes.urls["telegram"]

    def look() -> bool | None:
        rows = list_rows(call_sandbox(url, "GET", "messages"), "messages")
        sent = (row for row in rows if row["chat_id"] == tenant.chat_id)
        return True if any(number in row["text"] for row in sent if is_receipt(row)) else None

    wait_for(f"{tenant.plan}'s receipt", look, TIMEOUT_S)


def is_receipt(row: dict[str, Any]) -> bool:
    """Whether a Telegram message is a receipt, in either language."""
    return any(word in row["text"] for word in ("Lunas:", "Paid:"))


def close_month(stack: Stack, tenants: list[Tenant], note: Callable[[str], None]) -> datetime:
    """Bill every tenant and let the paying ones pay; returns the instant billed as of."""
    as_of = schedule_billing(stack)
    note("waiting for the schedule")
    for tenant in tenants:
        state = "paid" if tenant.plan == "free" else "finalized"
        invoice = wait_for_invoices(tenant, state)
        note(f"{tenant.plan}: {invoice['number']}")
        if tenant.plan != "free":
            pay_invoice(stack, tenant, invoice["invoice_id"])
    for tenant in tenants:
        if tenant.plan != "free":
            invoice = wait_for_invoices(tenant, "paid")
            wait_for_receipt(stack, tenant, invoice["number"])
            note(f"{tenant.plan}: {invoice['number']} paid")
    return as_of
