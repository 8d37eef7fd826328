"""Chats hear when trading stops or goes on, and nothing of what settles by itself."""

from typing import Any, get_args
from uuid import UUID

import pytest

from contracts.envelope import Envelope, Message
from contracts.ids import uuid7
from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    PositionClosed,
    ReconciliationDiffered,
)
from contracts.trading_reasons import AccountHealth, CloseReason, DifferenceKind
from functions.notification_service import consumer
from functions.notification_service.logic.texts import is_news, write_text
from functions.notification_service.models import Language
from tests.functions.notification_service.conftest import Room
from tests.support.builders import NOW, sqs_event, sqs_record, wrap

LANGUAGES: tuple[Language, ...] = ("id", "en")


def switch(**parts: Any) -> KillSwitchChanged:
    fields = {"scope": "tenant", "version": 1, "engaged": True, "flatten": False, "reason": ""}
    return KillSwitchChanged(changed_at=NOW, **{**fields, **parts})


def health(state: AccountHealth) -> AccountHealthChanged:
    return AccountHealthChanged(
        account_id=uuid7(), health=state, reason="<b>bad</b> & worse", restarts=5, changed_at=NOW
    )


def difference(kind: DifferenceKind) -> ReconciliationDiffered:
    return ReconciliationDiffered(
        account_id=uuid7(), kind=kind, symbol="EURUSD", volume=12, seen_at=NOW
    )


def run(*envelopes: Envelope) -> list[dict[str, str]]:
    return list(consumer.handler(sqs_event(*envelopes), None)["batchItemFailures"])


@pytest.mark.parametrize(
    ("message", "indonesian", "english"),
    [
        (
            switch(flatten=True, reason="a < b"),
            "<b>Sakelar darurat aktif</b> (semua akun)\na &lt; b\nPosisi terbuka ditutup.",
            "<b>Kill switch engaged</b> (all accounts)\na &lt; b\nOpen positions are being closed.",
        ),
        (
            switch(scope="account", account_id=uuid7(), engaged=False),
            "<b>Perdagangan aktif lagi</b> (satu akun)\n",
            "<b>Trading is armed again</b> (one account)\n",
        ),
        (health("circuit_open"), "&lt;b&gt;bad&lt;/b&gt; &amp; worse", "cannot be reached"),
        (difference("external_position"), "EURUSD 0.12 lot", "from outside Sinyal: EURUSD 0.12"),
    ],
)
def test_what_stops_trading_is_told_in_both_languages(
    message: Message, indonesian: str, english: str
) -> None:
    assert is_news(message)
    for language, text in zip(LANGUAGES, (indonesian, english), strict=True):
        written = write_text(message, language)[1]
        assert text in written
        assert written.endswith("2026-03-02 15:00 WIB")


def test_what_settles_by_itself_is_not_told() -> None:
    told = {state for state in get_args(AccountHealth) if is_news(health(state))}
    assert told == {"circuit_open"}
    kinds = {kind for kind in get_args(DifferenceKind) if is_news(difference(kind))}
    assert kinds == {"external_position"}
    assert not is_news(switch(scope="host"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_close_has_its_own_words(language: Language) -> None:
    def close(reason: CloseReason) -> str:
        closed = PositionClosed(
            order_id=uuid7(), account_id=uuid7(), signal_id=uuid7(), symbol="EURUSD", digits=5,
            direction="buy", volume=10, position_ticket=1, price_open=1, price_close=2,
            profit_cents=1, balance_cents=1, reason=reason, opened_at=NOW, closed_at=NOW,
        )  # fmt: skip
        return write_text(closed, language)[1]

    reasons = get_args(CloseReason)
    assert len({close(reason) for reason in reasons}) == len(reasons)


def test_a_switch_is_told_once_to_its_own_tenants_chats(
    room: Room, tenant: UUID, other_tenant: UUID
) -> None:
    chat, stranger = room.link(tenant, "en"), room.link(other_tenant, "en")
    record = sqs_record(wrap(switch(), tenant))
    for _ in range(2):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert len(room.texts(chat)) == 1
    assert room.texts(stranger) == []


def test_the_hosts_switch_is_nobodys_news_and_no_poison(room: Room, tenant: UUID) -> None:
    chat = room.link(tenant)
    quiet = [wrap(switch(scope="host")), wrap(health("hung"), tenant)]
    assert run(*quiet) == []
    assert room.texts(chat) == []
    assert len(run(wrap(switch()))) == 1
