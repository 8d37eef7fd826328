"""What reaches a log: no secret, no personal data, and everything that is neither."""

import base64
import json
import secrets
import string
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import uuid7
from kit.context import RequestContext, use
from kit.observability import get_logger, log, redact, strike_out, warn

URL_SAFE = string.ascii_letters + string.digits + "-_"
PREFIXES = ("srt_", "sml_", "sk_local_", "sk_prod_", "evt_", "inv_", "prt_", "ect_")


def url_safe(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(URL_SAFE, min_size=least, max_size=most)


own_tokens = st.builds(str.__add__, st.sampled_from(PREFIXES), url_safe(32, 64))
web_tokens = st.builds(
    "{}.{}.{}".format,
    st.sampled_from([{"alg": "EdDSA", "kid": "a"}, {"alg": "none"}, {"typ": "at+jwt"}]).map(
        lambda head: base64.urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")
    ),
    url_safe(20, 200),
    url_safe(0, 90),
)
hashes = st.builds(
    "$argon2id$v=19$m=19456,t=2,p=1${}${}".format,
    st.text(string.ascii_letters + string.digits + "+/", min_size=22, max_size=22),
    st.text(string.ascii_letters + string.digits + "+/", min_size=43, max_size=43),
)
credentials = st.builds(
    "{} {}".format, st.sampled_from(["Bearer", "Basic"]), url_safe(8, 80).map(lambda t: t + "x")
)
addresses = st.builds(
    "{}@{}.{}".format,
    st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,30}[a-z0-9]", fullmatch=True),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["com", "co.id", "sch.id", "example"]),
)
planted = st.one_of(own_tokens, web_tokens, hashes, credentials, addresses)
surroundings = st.sampled_from(
    [
        "",
        " ",
        '"',
        "'",
        "=",
        ":",
        "/",
        "?token=",
        "\n",
        "\t",
        "\r\n",
        "(",
        "[",
        ",",
        "\u00e9",
        "%3D",
    ]
)


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def fresh_logger() -> Iterator[None]:
    """The process's logger writes to the standard output of its own time."""
    get_logger.cache_clear()
    yield
    get_logger.cache_clear()


@given(secret=planted, before=surroundings, after=surroundings)
def test_any_planted_secret_is_struck_out_of_a_line(secret: str, before: str, after: str) -> None:
    line = json.dumps({"level": "INFO", "message": f"said {before}{secret}{after} there"})
    clean = strike_out(line)
    assert secret not in clean
    assert secret.rsplit(" ", maxsplit=1)[-1].strip("=")[:24] not in clean
    assert "***" in clean


@given(secret=planted, before=surroundings)
def test_a_line_that_was_struck_out_is_still_json(secret: str, before: str) -> None:
    line = json.dumps({"message": f"{before}{secret}", "level": "INFO"})
    assert json.loads(strike_out(line))["level"] == "INFO"


@given(secret=addresses)
def test_an_address_in_an_encoded_link_is_struck_out(secret: str) -> None:
    clean = strike_out(f"GET /v1/x?to={secret.replace('@', '%40')}&a=1")
    assert secret.partition("@")[0] not in clean.partition("to=")[2]


ordinary = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda value: value.hex),
    st.just(None).map(lambda _: str(uuid7())),
    st.sampled_from(["EURUSD", "XAUUSD", "USDJPY.m", "GBPUSD", "M1", "H4", "Asia/Jakarta"]),
    st.integers(-(10**15), 10**15).map(str),
    st.decimals(-(10**6), 10**6, places=5, allow_nan=False).map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "+00:00"),
    st.from_regex(r"SNY-[0-9A-F]{32}", fullmatch=True),
    st.sampled_from(
        [
            "/v1/invoices/{invoice_id}",
            "arn:aws:sqs:ap-southeast-3:000000000000:sinyal-local-trading-engine-dlq",
            "risk_limits_of_the_account_are_exceeded",
            "disk_usage_of_the_volume_is_above_threshold",
            "subject_to_verification_of_the_margin",
            "psycopg.errors.UniqueViolation: duplicate key value",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ]
    ),
)


@given(value=ordinary, before=surroundings)
def test_ordinary_ids_symbols_and_amounts_stay(value: str, before: str) -> None:
    line = json.dumps({"message": f"{before} {value} {before}"})
    assert strike_out(line) == line


SECRET_NAMES = (
    "password", "new_password", "refresh_token", "access_token", "totp_secret", "totp", "api_key",
    "Authorization", "x-authorization", "signature_key", "client_secret",
)  # fmt: skip
PERSONAL_NAMES = ("email", "full_name", "tenant_name", "phone", "address", "device", "EMAIL")


@given(name=st.sampled_from(SECRET_NAMES + PERSONAL_NAMES), depth=st.integers(0, 4), data=st.data())
def test_values_are_redacted_by_name_at_any_depth(
    name: str, depth: int, data: st.DataObject
) -> None:
    value = data.draw(st.text(string.ascii_letters, min_size=12, max_size=30))
    fields: Any = {name: value, "order_id": "kept"}
    for _ in range(depth):
        fields = data.draw(st.sampled_from([{"within": fields}, {"many": [fields, 1]}]))
    shown = json.dumps(redact(fields))
    assert value not in shown
    assert "kept" in shown


def test_what_is_redacted_is_a_copy() -> None:
    fields = {"items": [{"password": "as it was"}]}
    redact(fields)
    assert fields == {"items": [{"password": "as it was"}]}


def test_a_log_line_carries_its_fields_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    token = "evt_" + secrets.token_urlsafe(32)
    order_id = uuid7()
    log("mail sent", order_id=str(order_id), email="sari@example.com", text=f"Buka:\n{token}\n")
    (line,) = logged(capsys)
    assert (line["message"], line["order_id"]) == ("mail sent", str(order_id))
    assert line["email"] == "***"
    assert token not in json.dumps(line)


def test_a_traceback_is_struck_out(capsys: pytest.CaptureFixture[str]) -> None:
    token = "srt_" + secrets.token_urlsafe(32)

    def fail() -> None:
        raise ValueError(f"Key (email)=(sari@example.com) of {token}")

    try:
        fail()
    except ValueError:
        get_logger().exception("a bug")
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert token not in said
    assert "sari@example.com" not in said


def test_a_line_carries_the_correlation_id_of_what_is_handled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    correlation_id: UUID = uuid7()
    context = RequestContext(
        correlation_id=correlation_id,
        request_id="r",
        address=None,
        device=None,
        principal=None,
    )
    with use(context):
        warn("within")
    warn("without")
    within, without = logged(capsys)
    assert within["correlation_id"] == str(correlation_id)
    assert "correlation_id" not in without
