"""Three tenants sign up over the public API: register, verify, log in, subscribe, link."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from iac.local.demo.client import ApiClient, DemoFailed, call_sandbox, list_rows, wait_for
from iac.local.stack import Stack

PLANS = ("free", "pro", "enterprise")
NAMES = {"free": "Sari Wijaya", "pro": "Budi Santoso", "enterprise": "Dewi Lestari"}
BALANCE_CENTS = 1_000_000
_CODE = re.compile(r"^[A-Za-z0-9_.-]{32,400}$", re.MULTILINE)


@dataclass
class Tenant:
    """A tenant of the demo and its owner's session."""

    plan: str
    email: str
    client: ApiClient
    password: str = field(repr=False)
    tenant_id: str = ""
    account_id: str = ""
    chat_id: int = 0


def open_client(stack: Stack) -> ApiClient:
    """A client of the running stack's API."""
    api = stack.describe()["api"]
    return ApiClient(api["url"], api["host_header"])


def sign_up(stack: Stack, plan: str, number: int) -> Tenant:
    """Bring one tenant from nothing to a linked paper account and Telegram chat."""
    client = open_client(stack)
    tenant = Tenant(plan, f"{plan}@example.com", client, secrets.token_urlsafe(16))
    registered = client.expect(
        201,
        "POST",
        "/v1/auth/register",
        {
            "email": tenant.email,
            "password": tenant.password,
            "full_name": NAMES[plan],
            "tenant_name": f"{NAMES[plan]} {plan}",
            "locale": "en" if plan == "enterprise" else "id",
        },
    )
    tenant.tenant_id = registered["tenant_id"]
    client.expect(200, "POST", "/v1/auth/verify-email", {"token": _read_code(stack, tenant)})
    wait_for(f"{plan}'s first log-in", lambda: _log_in(tenant))
    if plan != "free":
        wait_for(f"{plan}'s subscription", lambda: _subscribe(tenant))
        wait_for(f"{plan}'s tier in its tokens", lambda: _log_in_with_tier(tenant))
    tenant.account_id = wait_for(f"{plan}'s paper account", lambda: _link_account(tenant))
    _link_telegram(stack, tenant, number)
    return tenant


def _read_code(stack: Stack, tenant: Tenant) -> str:
    """The verification code from the sandbox's mailbox."""
    url = stack.sandboxes.urls["mail"]

    def look() -> str | None:
        body = call_sandbox(url, "GET", "messages", params={"to": tenant.email})
        for mail in list_rows(body, "messages"):
            if match := _CODE.search(mail["text"].replace("\r", "")):
                return match.group(0)
        return None

    return wait_for(f"the verification mail to {tenant.email}", look)


def _log_in(tenant: Tenant) -> bool | None:
    body = {"email": tenant.email, "password": tenant.password}
    answer = tenant.client.call("POST", "/v1/auth/login", body)
    if answer.status_code == 403:
        return None
    if answer.status_code != 200:
        raise DemoFailed(f"log-in answered {answer.status_code}: {answer.text[:300]}")
    tenant.client.token = answer.json()["access_token"]
    return True


def _subscribe(tenant: Tenant) -> bool | None:
    key = f"subscribe-{tenant.plan}"
    answer = tenant.client.call(
        "POST", "/v1/subscription", {"plan": tenant.plan}, **{"idempotency-key": key}
    )
    if answer.status_code in {404, 409}:
        return None
    if answer.status_code not in {200, 201}:
        raise DemoFailed(f"subscribing answered {answer.status_code}: {answer.text[:300]}")
    return True


def _log_in_with_tier(tenant: Tenant) -> bool | None:
    """Tokens carry the tier of the moment they were made."""
    import base64
    import json

    _log_in(tenant)
    payload = tenant.client.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return True if claims["tier"] == tenant.plan else None


def _link_account(tenant: Tenant) -> str | None:
    body = {"mode": "paper", "initial_balance_cents": BALANCE_CENTS}
    answer = tenant.client.call(
        "POST", "/v1/accounts", body, **{"idempotency-key": "first-account"}
    )
    if answer.status_code == 409:
        return None
    if answer.status_code != 201:
        raise DemoFailed(f"linking an account answered {answer.status_code}: {answer.text[:300]}")
    return str(answer.json()["account_id"])


def _link_telegram(stack: Stack, tenant: Tenant, number: int) -> None:
    """Press the deep link: the sandbox delivers ``/start`` to the webhook as Telegram would."""
    link = tenant.client.expect(201, "POST", "/v1/notifications/telegram/link")["deep_link"]
    tenant.chat_id = 810_000_000 + number
    update: dict[str, Any] = {
        "chat_id": tenant.chat_id,
        "text": f"/start {link.rpartition('=')[2]}",
        "language_code": "en" if tenant.plan == "enterprise" else "id",
    }
    call_sandbox(stack.sandboxes.urls["telegram"], "POST", "updates", json=update)
