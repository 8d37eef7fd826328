"""Things that a tenant can have, made through the product's own doors, and staff to look on."""

import json
from pathlib import Path
from typing import Any

from contracts.ids import derived_id, uuid7
from kit.outbox import OutboxRow
from tests.support.house import House
from tests.support.people import Person, make_address, make_password

SAMPLES = Path(__file__).parents[2] / "events/samples"
_TICKS = {"symbol": "EURUSD", "from": "2014-05-07T08:00:00Z", "to": "2014-05-07T08:05:00Z"}
KNOWN_QUERIES: dict[str, dict[str, str]] = {
    "/v1/market/candles": {**_TICKS, "timeframe": "M1"},
    "/v1/market/ticks": _TICKS,
}
"""What to ask for, of the ticks that ``make_things`` stores."""


def read_sample(name: str, tenant_id: str | None, **data: Any) -> OutboxRow:
    """An event of the golden samples, as if it were this tenant's."""
    service, contract = name.split("/")
    envelope = json.loads((SAMPLES / service / f"{contract}.v1.json").read_text(encoding="utf-8"))
    envelope["meta"] |= {"event_id": str(uuid7()), "tenant_id": tenant_id}
    envelope["data"] |= data
    return OutboxRow(uuid7(), f"sinyal.{service}", contract, json.dumps(envelope))


def deliver_signal(tenant_id: str) -> str:
    """A signal that was delivered to a tenant."""
    from functions.ai_orchestration.api import _database
    from functions.ai_orchestration.logic import decide, describe_decision, take_bars
    from functions.ai_orchestration.models import ServedModel
    from functions.ai_orchestration.store import DecisionStore
    from tests.support.market_bars import close_bar, make_bars, to_contracts

    bar = close_bar(to_contracts(make_bars(300, seed=9)), 100)
    decision = decide(
        bar_id=bar.bar_id,
        symbol=bar.symbol,
        timeframe=bar.timeframe,
        bars=take_bars(bar),
        model=ServedModel("v1", "a" * 64, "b" * 64, 1.0, 0.0, 0.0, 15, lambda _: 0.7),
        any_model=True,
        views=(),
    )
    signal_id = str(derived_id("signal", bar.bar_id))
    with _database().transaction(tenant_id) as tx:  # type: ignore[arg-type]
        DecisionStore(tx).add(bar, decision, describe_decision(bar, decision), 12.5)
        tx.execute(
            "INSERT INTO deliveries (tenant_id, signal_id, visible_at) VALUES (%s, %s, %s)",
            [tenant_id, signal_id, bar.closed_at],
        )
    return signal_id


def make_things(house: House, owner: Person) -> dict[str, str]:
    """One of everything that a path can name, and that a tenant can have."""
    member = owner.invite("viewer")
    guest = {"email": "tamu@example.com", "role": "viewer"}
    period = {"subscription_id": str(uuid7()), "run_id": str(uuid7())}
    closed = read_sample("subscription_service/BillingPeriodClosed", owner.tenant_id, **period)
    house.publish([closed])
    house.settle()
    house.hand_over("data_bridge", read_sample("data_bridge/TickBatch", None))
    [invoice] = owner.expect(200, "GET", "/v1/invoices")["items"]
    pay = f"/v1/invoices/{invoice['invoice_id']}/payments"
    answer = owner.call("POST", pay, {"method": "bca_va"})
    assert answer.status in (200, 201), answer
    key = {"name": "reports", "scopes": ["read"]}
    return {
        "user_id": member.user_id,
        "invitation_id": owner.expect(201, "POST", "/v1/tenants/invitations", guest)[
            "invitation_id"
        ],
        "invoice_id": invoice["invoice_id"],
        "payment_id": answer.body["payment_id"],
        "account_id": owner.expect(201, "POST", "/v1/accounts", {"mode": "paper"})["account_id"],
        "session_id": owner.expect(200, "GET", "/v1/auth/sessions")["items"][0]["session_id"],
        "key_id": owner.expect(201, "POST", "/v1/auth/api-keys", key)["key_id"],
        "export_id": owner.expect(202, "POST", "/v1/data/exports")["export_id"],
        "signal_id": deliver_signal(owner.tenant_id),
    }


def make_staff(house: House, *, support: bool) -> Person:
    """Somebody of the platform's own, signed in."""
    from functions.user_service import admin
    from functions.user_service.api import _database

    email, password = make_address(), make_password()
    whose = admin.ensure_platform_admin(_database(), email, password, support=support)
    house.settle()
    person = Person(house, email, password, str(whose.tenant_id))
    person.log_in()
    return person
