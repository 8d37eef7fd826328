"""A user's whole life with distinctive secrets and names; then no log of the stack holds one.

The secrets are looked for in the stores too: what lies there in the clear is as good as logged.
"""

import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pyotp
import pytest
from psycopg import sql

from iac.local.demo.client import ApiClient, call_sandbox, list_rows, wait_for
from iac.local.demo.tenants import open_client
from iac.local.stack import Stack
from iac.security.log_scan import Leak, Planted, find_leaks, read_files, read_log_events

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

PERSONAL = ("e-mail", "second e-mail", "full name", "tenant name", "later full name")
PUBLIC = ("midtrans_merchant_id", "telegram_bot_id", "smtp_username", "admin_email")
SETTLED_S = 60.0
ROWS_MAX = 20_000
_TOKEN = re.compile(r"\b(?:evt|inv|sml)_[\w-]{20,}|^[A-Za-z0-9_.-]{32,400}$", re.MULTILINE)


class Life:
    """One user's way through the product; whatever is secret or personal is written down."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.client = stack, open_client(stack)
        self.mark = secrets.token_hex(6)
        self.planted: dict[str, str] = {}
        self.steps: list[str] = []
        self.correlation_ids: list[str] = []
        self.tenant_id = ""
        self.email = self.plant("e-mail", f"melati.{self.mark}@example.com")
        self.password = self.plant("password", f'pintu "biru" {self.mark} & hujan')

    def plant(self, name: str, value: str) -> str:
        self.planted[name] = value
        return value

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        answer = self.client.call(method, path, body, **headers)
        self.steps.append(f"{method} {path.partition('?')[0][:60]} {answer.status_code}")
        assert answer.status_code < 500, answer.text
        self.correlation_ids += [answer.headers.get("x-correlation-id", "none")]
        return answer

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, path, body)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def take_tokens(self, name: str, pair: dict[str, Any]) -> dict[str, Any]:
        self.client.token = self.plant(f"access token of {name}", pair["access_token"])
        if "refresh_token" in pair:
            self.plant(f"refresh token of {name}", pair["refresh_token"])
        return pair

    def read_mail(self, to: str, name: str) -> str:
        """The newest mail's token that was not seen before."""
        url = self.stack.sandboxes.urls["mail"]

        def look() -> str | None:
            body = call_sandbox(url, "GET", "messages", params={"to": to})
            for mail in reversed(list_rows(body, "messages")):
                for found in _TOKEN.findall(mail["text"].replace("\r", "")):
                    if found not in self.planted.values():
                        return str(found)
            return None

        return self.plant(name, wait_for(f"the mail with {name}", look))


def register_and_verify(life: Life) -> None:
    body = {
        "email": life.email,
        "password": life.password,
        "full_name": life.plant("full name", f"Melati Kusuma{life.mark}wardhani"),
        "tenant_name": life.plant("tenant name", f"Toko Rembulan{life.mark} Sejahtera"),
        "locale": "id",
    }
    life.tenant_id = life.expect(201, "POST", "/v1/auth/register", body)["tenant_id"]
    life.call("POST", "/v1/auth/register", body)  # the address is known by now
    token = life.read_mail(life.email, "verification token")
    life.expect(200, "POST", "/v1/auth/verify-email", {"token": token})
    life.call("POST", "/v1/auth/verify-email", {"token": token})
    life.call("POST", "/v1/auth/verify-email/resend", {"email": life.email})


def log_in(life: Life, name: str, **more: str) -> dict[str, Any]:
    body = {"email": life.email, "password": life.password, **more}

    def attempt() -> dict[str, Any] | None:
        answer = life.call("POST", "/v1/auth/login", body)
        return answer.json() if answer.status_code == 200 else None

    return life.take_tokens(name, wait_for(f"the log-in: {name}", attempt))


def make_mistakes(life: Life) -> None:
    """Bad bodies, queries, paths and headers, each with a secret in it."""
    wrong = life.plant("wrong password", f"salah-kata-{secrets.token_hex(8)}")
    life.expect(401, "POST", "/v1/auth/login", {"email": life.email, "password": wrong})
    extra = life.plant("unknown field", f"kolom-rahasia-{secrets.token_hex(8)}")
    life.call("POST", "/v1/auth/login", {"email": life.email, "pasword": extra, "totp": extra})
    life.call("POST", "/v1/auth/login", {"email": {"of": extra}, "password": [extra]})
    life.call("POST", "/v1/auth/register", {"email": extra, "password": extra, "locale": extra})
    life.call("POST", "/v1/auth/refresh", {"refresh_token": {"token": extra}})
    broken = life.plant("broken body", f"patah-{secrets.token_hex(8)}")
    answer = life.client._http.post(
        "/v1/auth/login",
        content=f'{{"password": "{broken}", '.encode(),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    query = life.plant("token in a query", "srt_" + secrets.token_urlsafe(32))
    life.call("GET", f"/v1/users/me?access_token={query}&refresh_token={query}")
    life.call("GET", f"/v1/users/me?next=/a%20{query}")
    path = life.plant("token in a path", "prt_" + secrets.token_urlsafe(32))
    life.call("GET", f"/v1/auth/password/reset/{path}")
    bearer = life.plant("bearer that is none", secrets.token_urlsafe(40))
    held, life.client.token = life.client.token, bearer
    life.expect(401, "GET", "/v1/users/me")
    life.client.token = held
    life.call("GET", "/v1/users/me", **{"x-api-key": "sk_local_" + bearer})
    life.call("GET", "/v1/users/me", **{"x-correlation-id": bearer, "idempotency-key": bearer})
    unknown = life.plant("unknown refresh token", "srt_" + secrets.token_urlsafe(32))
    life.expect(401, "POST", "/v1/auth/refresh", {"refresh_token": unknown})


def refresh_and_reuse(life: Life, pair: dict[str, Any]) -> None:
    life.take_tokens(
        "the refresh",
        life.expect(200, "POST", "/v1/auth/refresh", {"refresh_token": pair["refresh_token"]}),
    )
    life.expect(401, "POST", "/v1/auth/refresh", {"refresh_token": pair["refresh_token"]})
    log_in(life, "the log-in after the reuse")


def reset_password(life: Life) -> None:
    life.call("POST", "/v1/auth/password/forgot", {"email": life.email})
    life.call("POST", "/v1/auth/password/forgot", {"email": f"nobody.{life.mark}@example.com"})
    token = life.read_mail(life.email, "reset token")
    life.password = life.plant("new password", f"jendela jati {life.mark} terbuka")
    answer = life.call(
        "POST", "/v1/auth/password/reset", {"token": token, "password": life.password}
    )
    assert answer.status_code in (200, 204), answer.text
    life.call("POST", "/v1/auth/password/reset", {"token": token, "password": life.password})
    log_in(life, "the log-in with the new password")


def use_second_factor(life: Life) -> pyotp.TOTP:
    setup = life.call("POST", "/v1/auth/mfa/totp").json()
    totp = pyotp.TOTP(life.plant("TOTP secret", setup["secret"]))
    confirmed = life.expect(200, "POST", "/v1/auth/mfa/totp/confirm", {"code": totp.now()})
    for number, code in enumerate(confirmed["recovery_codes"]):
        life.plant(f"recovery code {number}", code)
    life.take_tokens("the confirmed second factor", confirmed)
    life.expect(401, "POST", "/v1/auth/login", {"email": life.email, "password": life.password})
    log_in(life, "a recovery code", recovery_code=confirmed["recovery_codes"][0])
    return totp


def use_api_key(life: Life) -> None:
    body = {"name": f"robot {life.mark}", "scopes": ["read"]}
    made = life.expect(201, "POST", "/v1/auth/api-keys", body)
    keys = [value for value in made.values() if isinstance(value, str) and value.startswith("sk_")]
    key = life.plant("API key", max(keys, key=len))
    life.plant("API key's random part", max(key.split("_"), key=len))
    held, life.client.token = life.client.token, ""
    assert life.call("GET", "/v1/users/me", **{"x-api-key": key}).status_code == 200
    assert life.call("GET", "/v1/users/me", authorization=f"Bearer {key}").status_code == 200
    assert life.call("GET", "/v1/tenants/invitations", **{"x-api-key": key}).status_code == 403
    life.client.token = held


def use_the_product(life: Life) -> None:
    name = life.plant("later full name", f"Melati Pelangi{life.mark}sari")
    life.expect(200, "PATCH", "/v1/users/me", {"full_name": name})
    life.call("POST", "/v1/accounts", {"mode": "paper", "initial_balance_cents": 1_000_000})
    life.call("POST", "/v1/subscription", {"plan": "pro"})
    link = life.expect(201, "POST", "/v1/notifications/telegram/link")["deep_link"]
    code = life.plant("Telegram link code", link.rpartition("=")[2])
    update = {"chat_id": 810_000_777, "text": f"/start {code}", "language_code": "id"}
    call_sandbox(life.stack.sandboxes.urls["telegram"], "POST", "updates", json=update)
    call_sandbox(life.stack.sandboxes.urls["telegram"], "POST", "updates", json=update)
    second = life.plant("second e-mail", f"kenanga.{life.mark}@example.com")
    body = {"new_email": second, "password": life.password}
    life.call("POST", "/v1/auth/email/change", body)
    life.call("POST", "/v1/auth/email/confirm", {"token": life.read_mail(second, "change token")})
    life.email = second
    for path in (
        "auth/sessions",
        "usage/requests",
        "audit-log",
        "tenants/members",
        "auth/api-keys",
    ):
        life.call("GET", f"/v1/{path}")


@pytest.fixture(scope="module")
def life(stack: Stack) -> Iterator[Life]:
    """The life, lived; what it left behind in queues has been worked off."""
    one = Life(stack)
    register_and_verify(one)
    pair = log_in(one, "the first log-in")
    make_mistakes(one)
    refresh_and_reuse(one, pair)
    reset_password(one)
    use_second_factor(one)
    use_api_key(one)
    use_the_product(one)
    one.expect(204, "POST", "/v1/auth/logout")
    for secret, value in vars(stack.credentials).items():
        if isinstance(value, str) and secret not in PUBLIC:
            one.plant(f"the stack's {secret}", value)
    wait_until_worked_off(stack)
    yield one
    one.client.close()


def wait_until_worked_off(stack: Stack) -> None:
    from iac.local.demo.queues import wait_until_quiet

    wait_until_quiet(stack, lambda _text: None, timeout_s=SETTLED_S)


def describe(leaks: list[Leak]) -> list[str]:
    return [f"{leak.name} ({leak.dress}) in {leak.source}: {leak.around}" for leak in leaks[:20]]


def test_the_life_touched_the_doors_that_handle_secrets(life: Life) -> None:
    passed = {step.rpartition(" ")[0] for step in life.steps}
    for door in (
        "auth/register", "auth/verify-email", "auth/login", "auth/refresh", "auth/password/forgot",
        "auth/password/reset", "auth/mfa/totp/confirm", "auth/api-keys", "auth/email/confirm",
    ):  # fmt: skip
        assert f"POST /v1/{door}" in passed, door
    assert len(life.planted) > 30


def test_no_file_of_the_stack_s_logs_holds_a_secret_or_a_name(stack: Stack, life: Life) -> None:
    files = list(read_files(stack.var / "logs"))
    assert sum(len(text) for _, text in files) > 10_000
    assert describe(find_leaks(Planted(life.planted), files)) == []


def test_no_log_event_holds_a_secret_or_a_name(stack: Stack, life: Life) -> None:
    events = list(read_log_events(stack.client("logs")))
    said = "\n".join(text for _, text in events)
    assert all(correlation_id in said for correlation_id in life.correlation_ids[:5])
    assert describe(find_leaks(Planted(life.planted), events)) == []


def read_tables(dsn: str) -> Iterator[tuple[str, str]]:
    """Every row of every table, as its text."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type ="
            " 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(
                sql.SQL("SELECT t::text FROM {} t LIMIT {}").format(
                    sql.Identifier(schema, table), sql.Literal(ROWS_MAX)
                )
            )
            yield f"{schema}.{table}", "\n".join(row for (row,) in rows)


def test_no_table_of_postgresql_holds_a_secret_in_the_clear(stack: Stack, life: Life) -> None:
    hidden = {name: value for name, value in life.planted.items() if name not in PERSONAL}
    tables = list(read_tables(stack.postgres.dsn))
    assert life.tenant_id in "".join(text for _, text in tables)
    assert describe(find_leaks(Planted(hidden), tables)) == []


def test_no_row_of_clickhouse_holds_a_secret_and_the_request_log_no_name(
    stack: Stack, life: Life
) -> None:
    click = stack.clickhouse
    client = ApiClient(f"http://{click.host}:{click.port}", f"{click.host}:{click.port}")
    names = _ask(
        client, click, f"SELECT name FROM system.tables WHERE database = '{click.database}'"
    )
    rows = {
        name: _ask(client, click, f"SELECT * FROM {click.database}.{name} LIMIT {ROWS_MAX}")
        for name in names.split()
    }
    hidden = {name: value for name, value in life.planted.items() if name not in PERSONAL}
    assert describe(find_leaks(Planted(hidden), rows.items())) == []
    logs = [(name, text) for name, text in rows.items() if "request" in name or "audit" in name]
    assert logs, sorted(rows)
    assert describe(find_leaks(Planted(life.planted), logs)) == []


def _ask(client: ApiClient, click: Any, query: str) -> str:
    answer = client._http.get(
        "/", params={"query": f"{query} FORMAT TSV"}, auth=(click.username, click.password)
    )
    assert answer.status_code == 200, answer.text
    return answer.text
