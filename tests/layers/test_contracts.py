"""What crosses a process: ids in order, money whole, envelopes that survive time and strangers."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.data_bridge import TickBatch
from contracts.envelope import Envelope, Meta, UtcDatetime
from contracts.ids import NIL, derived_id, uuid7
from contracts.money import NonNegativeRupiah, Rupiah, format_rupiah, round_rupiah
from contracts.registry import MESSAGES, UnknownMessage, UnknownSchemaVersion, parse_envelope
from contracts.trading_engine import AccountUnlinked
from tests.support.builders import NOW, wrap

SAMPLES = sorted((Path(__file__).parents[2] / "events" / "samples").rglob("*.json"))


@given(st.integers(0, 2**48 - 1))
def test_an_id_is_a_version_7_uuid_with_its_milliseconds_first(now_ms: int) -> None:
    made = uuid7(now_ms)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == now_ms


@given(st.integers(0, 2**46), st.integers(1, 2**46))
def test_ids_sort_by_birth(first_ms: int, later_ms: int) -> None:
    assert uuid7(first_ms) < uuid7(first_ms + later_ms)
    assert str(uuid7(first_ms)) < str(uuid7(first_ms + later_ms))


def test_ids_of_one_millisecond_differ() -> None:
    assert len({uuid7(5) for _ in range(10_000)}) == 10_000


def test_an_id_made_now_is_of_now() -> None:
    age_ms = datetime.now(UTC).timestamp() * 1_000 - (uuid7().int >> 80)
    assert -1_000 < age_ms < 5_000


def test_a_derived_id_is_the_same_for_the_same_parts_only() -> None:
    assert derived_id("order", 1, NIL) == derived_id("order", 1, NIL)
    others = [
        derived_id("a", "bc"),
        derived_id("ab", "c"),
        derived_id("abc"),
        derived_id("abc", ""),
    ]
    assert len(set(others)) == 4


@given(st.integers(-(10**15), 10**15))
def test_an_amount_is_written_with_dots_and_can_be_read_back(amount: int) -> None:
    text = format_rupiah(amount)
    groups = text.removeprefix("-").removeprefix("Rp ").split(".")
    assert all(len(group) == 3 for group in groups[1:])
    assert 1 <= len(groups[0]) <= 3
    assert int("".join(groups)) == abs(amount)
    assert text.startswith("-") == (amount < 0)


def test_amounts_look_as_indonesians_write_them() -> None:
    assert format_rupiah(299_000) == "Rp 299.000"
    assert format_rupiah(-1_499_000) == "-Rp 1.499.000"
    assert format_rupiah(0) == "Rp 0"


@given(st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=6))
def test_rounding_goes_to_the_nearest_rupiah_and_halves_go_up(amount: Decimal) -> None:
    rounded = round_rupiah(amount)
    assert abs(Decimal(rounded) - amount) <= Decimal("0.5")
    assert rounded == int(amount.to_integral_value(rounding=ROUND_HALF_UP))


@pytest.mark.parametrize(("amount", "whole"), [("0.5", 1), ("1.5", 2), ("2.5", 3), ("2.4999", 2)])
def test_a_half_goes_up_and_not_to_the_even(amount: str, whole: int) -> None:
    assert round_rupiah(Decimal(amount)) == whole


@pytest.mark.parametrize("amount", [1.0, "1", True, Decimal(1), 10**15 + 1])
def test_money_is_a_whole_number_and_nothing_like_one(amount: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Rupiah).validate_python(amount)


def test_an_amount_that_may_not_be_negative_is_not() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(NonNegativeRupiah).validate_python(-1)


def read(path: Path) -> tuple[str, dict[str, Any]]:
    return path.name.split(".")[0], json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_golden_sample_goes_round_and_stays_the_same(path: Path) -> None:
    name, sample = read(path)
    envelope = parse_envelope(name, sample)
    assert (envelope.detail_type, envelope.source) == (name, f"sinyal.{path.parent.name}")
    assert parse_envelope(name, json.loads(envelope.to_json())) == envelope


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_reader_ignores_what_a_newer_writer_added(path: Path) -> None:
    name, sample = read(path)
    known = parse_envelope(name, sample)
    sample["data"]["added_later"] = [{"x": 1}]
    sample["meta"]["added_later"] = "y"
    sample["added_later"] = None
    assert parse_envelope(name, sample) == known


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_reader_refuses_a_version_it_does_not_know(path: Path) -> None:
    name, sample = read(path)
    sample["meta"]["schema_version"] = MESSAGES[name].schema_version + 1
    with pytest.raises(UnknownSchemaVersion):
        parse_envelope(name, sample)


def test_a_name_of_no_contract_is_refused() -> None:
    with pytest.raises(UnknownMessage):
        parse_envelope("Nothing", {})


def test_a_contract_cannot_be_changed_once_made() -> None:
    envelope = wrap(AccountUnlinked(account_id=uuid7(), version=1))
    with pytest.raises(ValidationError):
        envelope.meta.tenant_id = uuid7()  # type: ignore[misc]


def test_an_instant_is_kept_in_utc_and_a_naive_one_refused() -> None:
    jakarta = datetime(2026, 3, 2, 15, tzinfo=timezone(timedelta(hours=7)))
    envelope = wrap(AccountUnlinked(account_id=uuid7(), version=1), now=jakarta)
    assert envelope.meta.occurred_at == jakarta
    assert envelope.meta.occurred_at.tzinfo is UTC
    with pytest.raises(ValidationError):
        wrap(AccountUnlinked(account_id=uuid7(), version=1), now=jakarta.replace(tzinfo=None))


def test_an_event_without_a_cause_begins_a_chain_and_others_stay_in_it() -> None:
    first = wrap(AccountUnlinked(account_id=uuid7(), version=1))
    assert first.meta.correlation_id == first.meta.event_id
    assert first.meta.causation_id is None
    cause: Meta = first.meta
    for _ in range(3):
        after = Envelope.wrap(first.data, tenant_id=None, now=NOW, cause=cause)
        assert after.meta.correlation_id == first.meta.event_id
        assert after.meta.causation_id == cause.event_id
        cause = after.meta


def batch(**changes: Any) -> TickBatch:
    values: dict[str, Any] = {
        "stream": "s",
        "sequence": 0,
        "symbol": "EURUSD",
        "digits": 5,
        "first_index": 0,
        "ts_ns": (1, 2),
        "bid": (10, 11),
        "ask": (12, 13),
        "read": 3,
        "rejected": {"crossed": 1},
    }
    return TickBatch(**{**values, **changes})


@pytest.mark.parametrize("changes", [{"ask": (12,)}, {"read": 2}, {"rejected": {"odd": 1}}])
def test_a_tick_batch_whose_books_do_not_balance_is_refused(changes: dict[str, Any]) -> None:
    assert batch().read == 3
    with pytest.raises(ValidationError):
        batch(**changes)


def test_the_platforms_id_is_no_tenants() -> None:
    assert UUID(int=0) == NIL
    assert uuid7() != NIL


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_an_instant_outside_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(UtcDatetime).validate_python(text)
