"""Every route of the product and who may call it: the one table that the authorizer, the doors, the
docs and the tests read. A route that is not here is closed to everybody.
"""

from functools import lru_cache

from contracts.permissions import (
    ANY_TIER,
    EVERYBODY,
    MANAGERS,
    OWNER,
    TRADERS,
    Route,
    Staff,
)
from contracts.subscription_service import Tier
from contracts.user_service import Role, Scope


def _open(room: str, *rows: tuple[str, str]) -> tuple[Route, ...]:
    return tuple(Route(method, path, room, "open") for method, path in rows)


def _staff(room: str, method: str, path: str, *staff: Staff) -> Route:
    return Route(method, path, room, "staff", staff=staff)


def _member(
    room: str,
    method: str,
    path: str,
    roles: tuple[Role, ...] = EVERYBODY,
    scope: Scope = "read",
    *,
    tiers: tuple[Tier, ...] = ANY_TIER,
    step_up: bool = False,
    never_waits: bool = False,
) -> Route:
    more = (tiers, (), step_up, None, never_waits)
    return Route(method, path, room, "member", roles, scope, *more)


ROUTES: tuple[Route, ...] = (
    *_open(
        "api_gateway",
        ("GET", "/v1/health"),
        ("GET", "/v1/health/ready"),
        ("GET", "/v1/docs"),
        ("GET", "/v1/openapi.json"),
    ),
    _member("api_gateway", "GET", "/v1/usage/requests"),
    _member("api_gateway", "GET", "/v1/audit-log", MANAGERS, "members"),
    *_open(
        "user_service",
        ("POST", "/v1/auth/register"),
        ("POST", "/v1/auth/login"),
        ("POST", "/v1/auth/refresh"),
        ("POST", "/v1/auth/password/forgot"),
        ("POST", "/v1/auth/password/reset"),
        ("POST", "/v1/auth/email/confirm"),
        ("POST", "/v1/auth/invitations/accept"),
        ("POST", "/v1/auth/introspect"),  # guarded by a service token
        ("GET", "/.well-known/jwks.json"),
    ),
    _member("user_service", "POST", "/v1/auth/logout", scope="account"),
    _member("user_service", "GET", "/v1/auth/sessions", scope="account"),
    _member("user_service", "DELETE", "/v1/auth/sessions", scope="account"),
    _member("user_service", "DELETE", "/v1/auth/sessions/{session_id}", scope="account"),
    _member("user_service", "POST", "/v1/auth/password/change", scope="account"),
    _member("user_service", "POST", "/v1/auth/email/change", scope="account"),
    _member("user_service", "GET", "/v1/auth/mfa/totp", scope="account"),
    _member("user_service", "POST", "/v1/auth/mfa/totp", scope="account"),
    _member("user_service", "POST", "/v1/auth/mfa/totp/confirm", scope="account"),
    _member("user_service", "DELETE", "/v1/auth/mfa/totp", scope="account", step_up=True),
    _member("user_service", "POST", "/v1/auth/mfa/step-up", scope="account"),
    _member("user_service", "POST", "/v1/auth/mfa/recovery-codes", scope="account", step_up=True),
    # A key with the scope trade needs a fresh second factor: the room asks for it itself.
    _member("user_service", "GET", "/v1/auth/api-keys", TRADERS, "account"),
    _member("user_service", "POST", "/v1/auth/api-keys", TRADERS, "account"),
    _member("user_service", "DELETE", "/v1/auth/api-keys/{key_id}", TRADERS, "account"),
    _member("user_service", "POST", "/v1/auth/api-keys/{key_id}/rotate", TRADERS, "account"),
    *_open(
        "user_management",
        ("POST", "/v1/auth/verify-email"),
        ("POST", "/v1/auth/verify-email/resend"),
    ),
    _member("user_management", "GET", "/v1/users/me"),
    _member("user_management", "PATCH", "/v1/users/me", scope="account"),
    _member("user_management", "GET", "/v1/users/me/preferences"),
    _member("user_management", "PUT", "/v1/users/me/preferences", TRADERS, "account"),
    _member("user_management", "GET", "/v1/users/me/consents", scope="account"),
    _member("user_management", "POST", "/v1/users/me/consents", scope="account"),
    _staff("user_management", "GET", "/v1/users/analytics", "support", "admin"),
    _member("user_management", "GET", "/v1/tenants/me"),
    _member("user_management", "PATCH", "/v1/tenants/me", MANAGERS, "members"),
    _member("user_management", "DELETE", "/v1/tenants/me", OWNER, "members", step_up=True),
    _member("user_management", "GET", "/v1/tenants/members"),
    _member("user_management", "POST", "/v1/tenants/members", MANAGERS, "members"),
    _member("user_management", "PATCH", "/v1/tenants/members/{user_id}", MANAGERS, "members"),
    _member("user_management", "DELETE", "/v1/tenants/members/{user_id}", MANAGERS, "members"),
    _member("user_management", "GET", "/v1/tenants/invitations", MANAGERS, "members"),
    _member("user_management", "POST", "/v1/tenants/invitations", MANAGERS, "members"),
    _member(
        "user_management",
        "DELETE",
        "/v1/tenants/invitations/{invitation_id}",
        MANAGERS,
        "members",
    ),
    _member("user_management", "POST", "/v1/tenants/ownership", OWNER, "members", step_up=True),
    _staff("user_management", "GET", "/v1/tenants", "support", "admin"),
    _staff("user_management", "GET", "/v1/tenants/{tenant_id}", "support", "admin"),
    _staff("user_management", "POST", "/v1/tenants/{tenant_id}/suspension", "admin"),
    _staff("user_management", "DELETE", "/v1/tenants/{tenant_id}/suspension", "admin"),
    *_open("subscription_service", ("GET", "/v1/plans")),
    _member("subscription_service", "GET", "/v1/subscription"),
    _member("subscription_service", "POST", "/v1/subscription", MANAGERS, "billing"),
    _member("subscription_service", "PATCH", "/v1/subscription", MANAGERS, "billing"),
    _member("subscription_service", "DELETE", "/v1/subscription", MANAGERS, "billing"),
    _member("subscription_service", "GET", "/v1/usage"),
    _member("billing_service", "GET", "/v1/invoices"),
    _member("billing_service", "GET", "/v1/invoices/{invoice_id}"),
    *_open("payment_gateway", ("POST", "/v1/payments/midtrans/notifications")),
    _member("payment_gateway", "POST", "/v1/invoices/{invoice_id}/payments", MANAGERS, "billing"),
    _member("payment_gateway", "GET", "/v1/payments/{payment_id}"),
    *_open("notification_service", ("POST", "/v1/telegram/webhook/{bot_id}")),
    _member("notification_service", "POST", "/v1/notifications/telegram/link", TRADERS, "account"),
    _member("notification_service", "GET", "/v1/notifications"),
    _member("trading_engine", "GET", "/v1/accounts"),
    # What can cost money on a live account (linking it, other credentials, looser limits) needs a
    # fresh second factor: the room asks for it itself.
    _member("trading_engine", "POST", "/v1/accounts", TRADERS, "trade"),
    _member("trading_engine", "PATCH", "/v1/accounts/{account_id}", TRADERS, "trade"),
    _member("trading_engine", "DELETE", "/v1/accounts/{account_id}", TRADERS, "trade"),
    _member("trading_engine", "GET", "/v1/risk-limits"),
    _member("trading_engine", "PUT", "/v1/risk-limits", TRADERS, "trade"),
    _member("trading_engine", "GET", "/v1/kill-switch"),
    _member("trading_engine", "POST", "/v1/kill-switch", TRADERS, "trade", never_waits=True),
    _member("trading_engine", "DELETE", "/v1/kill-switch", TRADERS, "trade", step_up=True),
    _staff("trading_engine", "GET", "/v1/kill-switch/host", "support", "admin"),
    _staff("trading_engine", "POST", "/v1/kill-switch/host", "admin"),
    _staff("trading_engine", "DELETE", "/v1/kill-switch/host", "admin"),
    _member("trading_engine", "GET", "/v1/news-calendar"),
    _staff("trading_engine", "PUT", "/v1/news-calendar", "admin"),
    _member("trading_engine", "GET", "/v1/orders"),
    _member("trading_engine", "GET", "/v1/positions"),
    _member("trading_engine", "GET", "/v1/trades"),
    _member("data_bridge", "GET", "/v1/market/symbols"),
    _member("data_bridge", "GET", "/v1/market/candles"),
    _member("data_bridge", "GET", "/v1/market/ticks"),
    _member("ai_orchestration", "GET", "/v1/signals"),
    _member("ai_orchestration", "GET", "/v1/signals/{signal_id}"),
    _member("ai_orchestration", "GET", "/v1/signals/{signal_id}/trace"),
    _staff("ai_provider", "GET", "/v1/ai/usage", "support", "admin"),
    _member("ml_processing", "GET", "/v1/ml/models"),
    _member("deep_learning", "GET", "/v1/deep-learning/health"),
    _member("performance_analytics", "GET", "/v1/analytics/trading"),
    _staff("database_service", "GET", "/v1/data/health", "support", "admin"),
    _member("database_service", "POST", "/v1/data/exports", MANAGERS, "members"),
    _member("database_service", "GET", "/v1/data/exports", MANAGERS, "members"),
    _member("database_service", "GET", "/v1/data/exports/{export_id}", MANAGERS, "members"),
)

BY_PATTERN: dict[tuple[str, str], Route] = {(row.method, row.path): row for row in ROUTES}


def find_route(method: str, path: str) -> Route | None:
    """The row of a concrete path; literal parts win over variables."""
    method = "GET" if method == "HEAD" else method
    parts = path.rstrip("/").split("/")
    candidates = _by_shape().get((method, len(parts)), ())
    return next((row for pattern, row in candidates if _fits(pattern, parts)), None)


@lru_cache(maxsize=1)
def _by_shape() -> dict[tuple[str, int], tuple[tuple[tuple[str, ...], Route], ...]]:
    """Rows by method and number of parts, those with fewest variables first."""
    shapes: dict[tuple[str, int], list[tuple[tuple[str, ...], Route]]] = {}
    for row in sorted(ROUTES, key=lambda row: row.path.count("{")):
        parts = tuple(row.path.split("/"))
        shapes.setdefault((row.method, len(parts)), []).append((parts, row))
    return {shape: tuple(rows) for shape, rows in shapes.items()}


def _fits(pattern: tuple[str, ...], parts: list[str]) -> bool:
    return all(
        wanted == part or (wanted.startswith("{") and part != "")
        for wanted, part in zip(pattern, parts, strict=True)
    )
