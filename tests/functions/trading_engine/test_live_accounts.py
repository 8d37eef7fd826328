"""Live accounts: the password is sealed by KMS for the edge, and nowhere else in clear."""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest

from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.trading_engine import AccountLinked, AccountUnlinked, LoosenLimits
from functions.trading_engine.errors import AccountNotLinkable
from functions.trading_engine.logic.accounts import link_live_account
from functions.trading_engine.models import LinkLiveAccount
from functions.trading_engine.store import AccountStore
from kit.aws import client
from kit.db import Database
from tests.architecture.tree import resources
from tests.conftest import Stores
from tests.functions.trading_engine.desk import LIVE, call, entitle, tell
from tests.support.broker_key import run_kms, use_broker_key
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher

pytestmark = pytest.mark.usefixtures("kms", "database")

PASSWORD = LIVE["password"]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_kms(tmp_path_factory.mktemp("aws")) as running:
        yield running


@pytest.fixture
def kms(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with use_broker_key(endpoint, monkeypatch) as opened:
        yield opened


@pytest.fixture
def login() -> int:
    """An account that no other test links."""
    return 1 + secrets.randbelow(10**14)


def link(tenant: UUID, login: int, *, fresh: bool = True, **parts: Any) -> tuple[int, Any]:
    headers = parts.pop("headers", {})
    body = {**LIVE, "login": login, **parts}
    return call("POST", "/v1/accounts", tenant, fresh=fresh, body=body, headers=headers)


def open_sealed(kms: Any, event: AccountLinked, tenant: UUID) -> str:
    """What the edge does with what travels."""
    assert event.encrypted_password is not None
    answer = kms.decrypt(
        CiphertextBlob=base64.b64decode(event.encrypted_password),
        EncryptionContext={"tenant_id": str(tenant), "account_id": str(event.account_id)},
    )
    return str(answer["Plaintext"].decode())


def test_the_edge_gets_a_password_that_opens_for_this_account_only(
    kms: Any, tenant: UUID, other_tenant: UUID, login: int,
    published: RecordingPublisher,
) -> None:  # fmt: skip
    entitle(tenant)
    symbols = {"XAUUSD": "GOLD.x"}
    status, body = link(tenant, login, symbols=symbols, symbol_suffix=".x", broker_ahead_hours=2)
    assert (status, body["mode"], body["confirmed"]) == (201, "live", False)
    [event] = published.messages(AccountLinked)
    assert open_sealed(kms, event, tenant) == PASSWORD
    assert (event.login, event.symbols, event.symbol_suffix) == (login, symbols, ".x")
    with pytest.raises(kms.exceptions.ClientError):
        open_sealed(kms, event, other_tenant)


def test_the_password_is_in_no_answer_no_row_no_event_and_no_log(
    tenant: UUID, login: int, stores: Stores,
    published: RecordingPublisher, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    entitle(tenant)
    status, body = link(tenant, login, headers={"Idempotency-Key": "secret-1"})
    path = f"/v1/accounts/{body['account_id']}"
    changed = call("PATCH", path, tenant, fresh=True, body={"password": PASSWORD})
    bad = link(tenant, login, password=PASSWORD, leverage=-1)
    nested = link(tenant, login, password={"is": PASSWORD})
    listed = call("GET", "/v1/accounts", tenant)
    assert (status, changed[0], bad[0], nested[0], listed[0]) == (201, 200, 422, 422, 200)
    texts = [json.dumps(answer) for answer in (body, changed, bad, nested, listed)]
    texts += [row.envelope for row in published.rows] + [capsys.readouterr().out]
    with psycopg.connect(stores.dsn) as admin:
        for table in ("accounts", "idempotency_keys", "outbox", "limits"):
            query = f"SELECT to_jsonb(t)::text FROM trading_engine.{table} t"
            texts += [row[0] for row in admin.execute(query).fetchall()]
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    assert [t for t in texts if PASSWORD in t or encoded in t] == []
    assert "sealed" not in json.dumps(listed)


def test_a_live_account_asks_for_a_second_factor(
    tenant: UUID, login: int, published: RecordingPublisher
) -> None:
    entitle(tenant)
    assert link(tenant, login, fresh=False)[1]["code"] == "step_up_needed"
    assert published.messages(AccountLinked) == []


def test_the_plan_bounds_live_accounts(tenant: UUID, login: int) -> None:
    entitle(tenant, live_accounts=1)
    assert link(tenant, login)[0] == 201
    status, problem = link(tenant, login + 1)
    assert (status, problem["code"]) == (403, "account_limit_reached")
    assert call("POST", "/v1/accounts", tenant, body={"mode": "paper"})[0] == 201


@pytest.mark.parametrize("server", ["Broker-Live", "BROKER-live"])
def test_an_account_that_another_tenant_trades_is_refused_without_a_name(
    tenant: UUID, other_tenant: UUID, login: int, server: str
) -> None:
    for each in (tenant, other_tenant):
        entitle(each)
    _, first = link(tenant, login)
    status, problem = link(other_tenant, login, server=server)
    assert (status, problem["code"]) == (409, "account_not_linkable")
    assert str(tenant) not in json.dumps(problem)
    assert first["account_id"] not in json.dumps(problem)
    assert link(tenant, login)[1]["code"] == "account_already_linked"
    call("DELETE", f"/v1/accounts/{first['account_id']}", tenant)
    assert link(other_tenant, login)[0] == 201
    assert link(tenant, login)[1]["code"] == "account_not_linkable"


def test_linking_again_keeps_the_account_and_forgets_no_wait(
    kms: Any, tenant: UUID, login: int, published: RecordingPublisher,
    clock: FixedClock,
) -> None:  # fmt: skip
    entitle(tenant)
    _, first = link(tenant, login, risk_per_trade_bp=20)
    call("DELETE", f"/v1/accounts/{first['account_id']}", tenant)
    status, again = link(tenant, login, risk_per_trade_bp=200, password="another")
    assert (status, again["account_id"], again["version"]) == (201, first["account_id"], 3)
    assert (again["risk_per_trade_bp"], again["pending"]["risk_per_trade_bp"]) == (20, 200)
    clock.advance(hours=24)
    assert tell(LoosenLimits(), None)
    event = published.messages(AccountLinked)[-1]
    assert (event.version, event.risk_per_trade_bp) == (4, 200)
    assert open_sealed(kms, event, tenant) == "another"


def test_unlinking_forgets_the_password(
    database: Database, tenant: UUID, login: int, published: RecordingPublisher
) -> None:
    entitle(tenant)
    _, account = link(tenant, login)
    call("DELETE", f"/v1/accounts/{account['account_id']}", tenant)
    with database.transaction(tenant) as tx:
        row = tx.fetch_one("SELECT sealed_password FROM accounts")
    assert row == {"sealed_password": None}
    assert len(published.messages(AccountUnlinked)) == 1


def test_tighter_numbers_count_at_once_and_looser_ones_wait(
    kms: Any, tenant: UUID, login: int, published: RecordingPublisher,
    clock: FixedClock,
) -> None:  # fmt: skip
    entitle(tenant)
    _, account = link(tenant, login)
    path = f"/v1/accounts/{account['account_id']}"
    status, body = call("PATCH", path, tenant, body={"max_daily_loss_bp": 100})
    assert (status, body["version"], body["max_daily_loss_bp"]) == (200, 2, 100)
    looser = {"risk_per_trade_bp": 100}
    assert call("PATCH", path, tenant, body=looser)[1]["code"] == "step_up_needed"
    _, body = call("PATCH", path, tenant, body=looser, fresh=True)
    assert (body["risk_per_trade_bp"], body["pending"]["risk_per_trade_bp"]) == (50, 100)
    clock.advance(hours=23)
    tell(LoosenLimits(), None)
    assert published.messages(AccountLinked)[-1].risk_per_trade_bp == 50
    clock.advance(hours=1)
    for _ in range(2):
        tell(LoosenLimits(), None)
    own = [e.data for e in published.envelopes(AccountLinked) if e.meta.tenant_id == tenant]
    assert [(e.version, e.risk_per_trade_bp, e.max_daily_loss_bp) for e in own] == [
        (1, 50, 300), (2, 50, 100), (3, 50, 100), (4, 100, 100),
    ]  # fmt: skip
    assert {open_sealed(kms, e, tenant) for e in own} == {PASSWORD}


def test_a_new_password_needs_a_second_factor_and_travels_sealed(
    kms: Any, tenant: UUID, login: int, published: RecordingPublisher
) -> None:
    entitle(tenant)
    _, account = link(tenant, login)
    path = f"/v1/accounts/{account['account_id']}"
    change = {"password": "the next one", "symbol_suffix": ".pro"}
    assert call("PATCH", path, tenant, body=change)[1]["code"] == "step_up_needed"
    assert call("PATCH", path, tenant, body=change, fresh=True)[0] == 200
    event = published.messages(AccountLinked)[-1]
    assert (event.version, event.symbol_suffix) == (2, ".pro")
    assert open_sealed(kms, event, tenant) == "the next one"
    record = published.messages(AuditRecorded)[-1]
    assert (record.action, record.detail["password"]) == ("account.changed", True)
    assert record.detail["fields"] == "symbol_suffix"


def test_changes_that_cannot_be_are_told(tenant: UUID, other_tenant: UUID, login: int) -> None:
    entitle(tenant)
    _, live = link(tenant, login)
    _, paper = call("POST", "/v1/accounts", tenant, body={"mode": "paper"})
    path = f"/v1/accounts/{live['account_id']}"
    for who, where, body, code in (
        (other_tenant, path, {"risk_per_trade_bp": 1}, "account_not_found"),
        (tenant, path, {}, "nothing_to_change"),
        (tenant, path, {"login": 5}, "invalid_value"),
        (tenant, path, {"broker_zone": "Mars/Base"}, "invalid_value"),
        (tenant, f"/v1/accounts/{paper['account_id']}", {"password": "x"}, "live_account_needed"),
    ):
        assert call("PATCH", where, who, body=body, fresh=True)[1]["code"] == code
    paper_path = f"/v1/accounts/{paper['account_id']}"
    status, body = call("PATCH", paper_path, tenant, body={"risk_per_trade_bp": 200})
    assert (status, body["risk_per_trade_bp"], body["pending"]) == (200, 200, None)


def test_a_repeat_is_answered_once_and_another_password_is_another_request(
    tenant: UUID, login: int, published: RecordingPublisher
) -> None:
    entitle(tenant)
    headers = {"Idempotency-Key": "live-1"}
    answers = [link(tenant, login, headers=headers) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 201
    other = link(tenant, login, headers=headers, password="not the same")
    assert other[1]["code"] == "idempotency_key_reused"
    assert len(published.messages(AccountLinked)) == 1


def test_without_kms_nothing_is_kept(
    tenant: UUID, login: int, monkeypatch: pytest.MonkeyPatch,
    published: RecordingPublisher, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client.cache_clear()
    entitle(tenant)
    status, problem = link(tenant, login)
    assert (status, problem["code"]) == (503, "password_not_sealed")
    assert call("GET", "/v1/accounts", tenant)[1] == {"items": []}
    assert published.messages(AccountLinked) == []
    assert PASSWORD not in capsys.readouterr().out
    client.cache_clear()


@pytest.mark.parametrize(
    "field",
    [
        {"login": 0}, {"login": 10**16}, {"server": " x"}, {"password": ""}, {"currency": "usd"},
        {"symbols": {"A" * 30: "B"}}, {"symbol_suffix": "x" * 13}, {"broker_zone": "../etc"},
        {"initial_balance_cents": 1}, {"server": None},
    ],
)  # fmt: skip
def test_a_body_out_of_bounds_is_refused(tenant: UUID, login: int, field: dict[str, Any]) -> None:
    body = {**LIVE, "login": login, **field}
    status, problem = call("POST", "/v1/accounts", tenant, fresh=True, body=body)
    assert (status, problem["code"]) == (422, "invalid_value")


def test_two_tenants_at_once_cannot_both_link_an_account(
    open_room: Callable[[str], Database], tenant: UUID, other_tenant: UUID,
    login: int,
) -> None:  # fmt: skip
    body = LinkLiveAccount.model_validate({**LIVE, "login": login})
    for each in (tenant, other_tenant):
        entitle(each)
    rooms = {each: open_room("trading_engine") for each in (tenant, other_tenant)}

    def try_link(each: UUID) -> bool:
        try:
            with rooms[each].transaction(each) as tx:
                link_live_account(AccountStore(tx), body, uuid7(), "sealed", tx.now)
        except AccountNotLinkable:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_link, rooms)) == [False, True]


def test_the_functions_know_the_key_and_may_only_seal_with_it() -> None:
    """What the template gives the deployed room."""
    functions = resources(kind="AWS::Serverless::Function")
    for door in ("TradingEngineApi", "TradingEngineConsumer"):
        variables = functions[door]["Properties"]["Environment"]["Variables"]
        assert variables["BROKER_KEY_ID"] == {"Ref": "BrokerKey"}
    policy = resources("iac/access.yaml")["TradingEngine"]["Properties"]["PolicyDocument"]
    [statement] = [s for s in policy["Statement"] if "kms" in str(s["Action"])]
    assert statement["Action"] == "kms:Encrypt"
    assert statement["Resource"] == {"Ref": "BrokerKeyArn"}
