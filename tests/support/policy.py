"""Who may call what, stated a second time and by hand: what the permissions table is held against.

A line is `METHOD path  who  scope  marks`. Who: `open`; the roles by first letter (O owner,
A admin, T trader, V viewer); `support+admin` or `admin` for the platform's staff. Marks: `key` when
an API key with the scope may, `2fa` when a fresh second factor is asked, `pro` or `enterprise` when
no lower plan will do. A new route needs a line here as well as a row in `contracts.routes`.
"""

from dataclasses import dataclass

POLICY = """
GET    /v1/health                                open
GET    /v1/health/ready                          open
GET    /v1/docs                                  open
GET    /v1/openapi.json                          open
GET    /v1/usage/requests                        OATV read key
GET    /v1/audit-log                             OA   members
POST   /v1/auth/register                         open
POST   /v1/auth/login                            open
POST   /v1/auth/refresh                          open
POST   /v1/auth/password/forgot                  open
POST   /v1/auth/password/reset                   open
POST   /v1/auth/email/confirm                    open
POST   /v1/auth/invitations/accept               open
POST   /v1/auth/introspect                       open
GET    /.well-known/jwks.json                    open
POST   /v1/auth/logout                           OATV account
GET    /v1/auth/sessions                         OATV account
DELETE /v1/auth/sessions                         OATV account
DELETE /v1/auth/sessions/{session_id}            OATV account
POST   /v1/auth/password/change                  OATV account
POST   /v1/auth/email/change                     OATV account
GET    /v1/auth/mfa/totp                         OATV account
POST   /v1/auth/mfa/totp                         OATV account
POST   /v1/auth/mfa/totp/confirm                 OATV account
DELETE /v1/auth/mfa/totp                         OATV account 2fa
POST   /v1/auth/mfa/step-up                      OATV account
POST   /v1/auth/mfa/recovery-codes               OATV account 2fa
GET    /v1/auth/api-keys                         OAT  account
POST   /v1/auth/api-keys                         OAT  account
DELETE /v1/auth/api-keys/{key_id}                OAT  account
POST   /v1/auth/api-keys/{key_id}/rotate         OAT  account
POST   /v1/auth/verify-email                     open
POST   /v1/auth/verify-email/resend              open
GET    /v1/users/me                              OATV read key
PATCH  /v1/users/me                              OATV account
GET    /v1/users/me/preferences                  OATV read key
PUT    /v1/users/me/preferences                  OAT  account
GET    /v1/users/me/consents                     OATV account
POST   /v1/users/me/consents                     OATV account
GET    /v1/users/analytics                       support+admin
GET    /v1/tenants/me                            OATV read key
PATCH  /v1/tenants/me                            OA   members
DELETE /v1/tenants/me                            O    members 2fa
GET    /v1/tenants/members                       OATV read key
POST   /v1/tenants/members                       OA   members
PATCH  /v1/tenants/members/{user_id}             OA   members
DELETE /v1/tenants/members/{user_id}             OA   members
GET    /v1/tenants/invitations                   OA   members
POST   /v1/tenants/invitations                   OA   members
DELETE /v1/tenants/invitations/{invitation_id}   OA   members
POST   /v1/tenants/ownership                     O    members 2fa
GET    /v1/tenants                               support+admin
GET    /v1/tenants/{tenant_id}                   support+admin
POST   /v1/tenants/{tenant_id}/suspension        admin
DELETE /v1/tenants/{tenant_id}/suspension        admin
GET    /v1/plans                                 open
GET    /v1/subscription                          OATV read key
POST   /v1/subscription                          OA   billing key
PATCH  /v1/subscription                          OA   billing key
DELETE /v1/subscription                          OA   billing key
GET    /v1/usage                                 OATV read key
GET    /v1/invoices                              OATV read key
GET    /v1/invoices/{invoice_id}                 OATV read key
POST   /v1/payments/midtrans/notifications       open
POST   /v1/invoices/{invoice_id}/payments        OA   billing key
GET    /v1/payments/{payment_id}                 OATV read key
POST   /v1/telegram/webhook/{bot_id}             open
POST   /v1/notifications/telegram/link           OAT  account
GET    /v1/notifications                         OATV read key
GET    /v1/accounts                              OATV read key
POST   /v1/accounts                              OAT  trade key
PATCH  /v1/accounts/{account_id}                 OAT  trade key
DELETE /v1/accounts/{account_id}                 OAT  trade key
GET    /v1/risk-limits                           OATV read key
PUT    /v1/risk-limits                           OAT  trade key
GET    /v1/kill-switch                           OATV read key
POST   /v1/kill-switch                           OAT  trade key
DELETE /v1/kill-switch                           OAT  trade 2fa
GET    /v1/kill-switch/host                      support+admin
POST   /v1/kill-switch/host                      admin
DELETE /v1/kill-switch/host                      admin
GET    /v1/news-calendar                         OATV read key
PUT    /v1/news-calendar                         admin
GET    /v1/orders                                OATV read key
GET    /v1/positions                             OATV read key
GET    /v1/trades                                OATV read key
GET    /v1/market/symbols                        OATV read key
GET    /v1/market/candles                        OATV read key
GET    /v1/market/ticks                          OATV read key
GET    /v1/signals                               OATV read key
GET    /v1/signals/{signal_id}                   OATV read key
GET    /v1/signals/{signal_id}/trace             OATV read key
GET    /v1/ai/usage                             support+admin
GET    /v1/ml/models                             OATV read key
GET    /v1/deep-learning/health                  OATV read key
GET    /v1/analytics/trading                     OATV read key
GET    /v1/data/health                           support+admin
POST   /v1/data/exports                          OA   members
GET    /v1/data/exports                          OA   members
GET    /v1/data/exports/{export_id}              OA   members
"""

ROLE_OF_LETTER = {"O": "owner", "A": "admin", "T": "trader", "V": "viewer"}
ROLES = tuple(ROLE_OF_LETTER.values())
TIERS = ("free", "pro", "enterprise")
STAFF = ("support", "platform_admin")
_STAFF_WORDS = {"support+admin": STAFF, "admin": ("platform_admin",)}

SESSION_SCOPES = {
    "owner": "read trade members billing account",
    "admin": "read trade members billing account",
    "trader": "read trade account",
    "viewer": "read account",
}
"""What a sign-in gives a role."""


@dataclass(frozen=True)
class Rule:
    """One line of the policy."""

    method: str
    path: str
    is_open: bool
    roles: frozenset[str]
    staff: frozenset[str]
    scope: str
    tiers: tuple[str, ...]
    by_key: bool
    second_factor: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def admits(
        self,
        role: str,
        *,
        tier: str = "enterprise",
        scopes: str | None = None,
        key: bool = False,
        fresh: bool = True,
        staff: str | None = None,
    ) -> bool:
        """Whether a caller passes; the scopes are the role's own unless given."""
        if self.is_open:
            return True
        if self.staff:
            return staff in self.staff and not key
        held = SESSION_SCOPES[role] if scopes is None else scopes
        return (
            role in self.roles
            and self.scope in held.split()
            and tier in self.tiers
            and (self.by_key or not key)
            and (fresh or not self.second_factor)
        )


def read_policy(text: str = POLICY) -> tuple[Rule, ...]:
    """The policy's lines."""
    return tuple(_read_rule(line.split()) for line in text.strip().splitlines())


def _read_rule(parts: list[str]) -> Rule:
    method, path, who, *rest = parts
    is_open, staff = who == "open", frozenset(_STAFF_WORDS.get(who, ()))
    member = not is_open and not staff
    marks = set(rest[1:])
    lowest = next((at for at, tier in enumerate(TIERS) if tier in marks), 0)
    return Rule(
        method=method,
        path=path,
        is_open=is_open,
        roles=frozenset(ROLE_OF_LETTER[letter] for letter in who) if member else frozenset(),
        staff=staff,
        scope=rest[0] if rest else "",
        tiers=TIERS[lowest:],
        by_key="key" in marks,
        second_factor="2fa" in marks,
    )
