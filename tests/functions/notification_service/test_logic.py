"""What mails say: the code where clients look for it, and nothing that a stranger could plant."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, get_args

import pytest

from contracts.database_service import TenantExportReady
from contracts.ids import uuid7
from contracts.user_management import EmailVerificationRequested, MemberInvited
from contracts.user_service import (
    AlertKind,
    EmailChangeRequested,
    PasswordResetRequested,
    SecurityAlertRaised,
)
from functions.notification_service import gateway
from functions.notification_service.logic.alerts import ALERTS
from functions.notification_service.logic.mails import show_foreign, write_mail
from functions.notification_service.models import Mail

WEB = "https://app.sinyal.test"
AT = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
UNTIL = AT + timedelta(hours=1)
TOKEN = "t0ken-" + "x" * 40
TO = "sari@example.com"
CODE_LINE = re.compile(r"^[A-Za-z0-9_.-]{32,400}$", re.MULTILINE)
"""How clients of the API find a code in a mail."""

SECRETS: dict[str, Any] = {"locale": "id", "token": TOKEN, "expires_at": UNTIL}
CARRIERS = {
    "verify-email": EmailVerificationRequested(
        user_id=uuid7(), email=TO, full_name="Sari Wijaya", **SECRETS
    ),
    "reset-password": PasswordResetRequested(user_id=uuid7(), email=TO, **SECRETS),
    "confirm-email": EmailChangeRequested(user_id=uuid7(), new_email=TO, **SECRETS),
    "accept-invitation": MemberInvited(
        invitation_id=uuid7(),
        email=TO,
        role="trader",
        tenant_name="Wijaya Capital",
        inviter_name="Budi",
        **SECRETS,
    ),
}
EXPORT = TenantExportReady(
    export_id=uuid7(), user_id=uuid7(), email=TO, locale="id", expires_at=UNTIL
)


def alert(kind: AlertKind = "new_device", **parts: Any) -> SecurityAlertRaised:
    fields = {
        "user_id": uuid7(), "email": TO, "locale": "id", "kind": kind,
        "device": "Firefox/130.0 (Linux)", "address": "203.0.113.9", **parts,
    }  # fmt: skip
    return SecurityAlertRaised(**fields)


def write(message: Any, locale: str = "id") -> Mail:
    return write_mail(message.model_copy(update={"locale": locale}), AT, WEB)


@pytest.mark.parametrize("locale", ["id", "en"])
@pytest.mark.parametrize("page", CARRIERS)
def test_a_code_is_alone_on_its_line_and_in_the_links_fragment(page: str, locale: str) -> None:
    mail = write(CARRIERS[page], locale)
    assert mail.to == TO
    assert CODE_LINE.findall(mail.text) == [TOKEN]
    assert f"{WEB}/{page}#token={TOKEN}" in mail.text
    assert f'href="{WEB}/{page}#token={TOKEN}"' in mail.html
    assert f">{TOKEN}</p>" in mail.html


@pytest.mark.parametrize("locale", ["id", "en"])
@pytest.mark.parametrize("page", CARRIERS)
def test_a_mail_with_a_code_tells_until_when_in_jakarta_and_when_to_ignore_it(
    page: str, locale: str
) -> None:
    mail = write(CARRIERS[page], locale)
    assert "2026-03-03 04:30 WIB" in mail.text
    assert {"id": "Abaikan", "en": "Ignore"}[locale] in mail.text


def test_every_kind_of_mail_has_its_own_words_in_both_languages() -> None:
    messages = [*CARRIERS.values(), EXPORT, *(alert(kind) for kind in get_args(AlertKind))]
    subjects = [write(m, locale).subject for m in messages for locale in ("id", "en")]
    assert len(set(subjects)) == 2 * len(messages)


@pytest.mark.parametrize("locale", ["id", "en"])
@pytest.mark.parametrize("kind", get_args(AlertKind))
def test_an_alert_tells_what_when_from_where_and_what_to_do(kind: AlertKind, locale: str) -> None:
    mail = write(alert(kind), locale)
    words = ALERTS[locale][kind]  # type: ignore[index]
    for text in (mail.text, unescape(mail.html)):
        for part in (words.happened, words.advice, "2026-03-03 03:30 WIB", "203.0.113.9"):
            assert part in text
        assert "Firefox/130.0 (Linux)".replace("/", " ") in text
    assert f"{WEB}/security" in mail.text
    assert CODE_LINE.findall(mail.text) == []


def test_every_alert_has_words_in_both_languages() -> None:
    for texts in ALERTS.values():
        assert set(texts) == set(get_args(AlertKind))
        assert len({text.happened for text in texts.values()}) == len(texts)


@pytest.mark.parametrize("parts", [{"device": None, "address": None}, {"address": "evil.example"}])
def test_an_unknown_origin_is_told_as_unknown(parts: dict[str, Any]) -> None:
    assert "Alamat jaringan: tidak diketahui" in write(alert(**parts)).text
    assert "Network address: unknown" in write(alert(**parts), "en").text


def test_an_export_links_to_the_archive_and_carries_no_code() -> None:
    mail = write(EXPORT)
    assert f"{WEB}/exports/{EXPORT.export_id}" in mail.text
    assert CODE_LINE.findall(mail.text) == []


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Sari Wijaya", "Sari Wijaya"),
        ("PT. Maju Jaya, Tbk (2024)", "PT. Maju Jaya, Tbk (2024)"),
        ("win https://evil.example/x", "win https evil example x"),
        ("call me@evil.example", "call me evil example"),
        ("<b>bold</b>", "b bold b"),
        ("two\r\nBcc: x@y.z", "two Bcc x y z"),
        ("right\u202eleft\u0000\u200b", "right left"),
        ("Chrome/120.0.0.0", "Chrome 120.0.0.0"),
        ("long " * 100, ("long " * 100)[:120]),
    ],
)
def test_what_strangers_typed_becomes_neither_a_link_nor_a_header(typed: str, shown: str) -> None:
    assert show_foreign(typed) == shown.strip()


def test_a_hostile_name_reaches_neither_subject_nor_page() -> None:
    hostile = CARRIERS["accept-invitation"].model_copy(
        update={
            "tenant_name": "Prize\r\nBcc: all@example.com",
            "inviter_name": "<a href='https://evil.example'>bank</a>",
        }
    )
    mail = write(hostile, "en")
    assert mail.subject == "Invitation to join Prize Bcc all example com on Sinyal"
    assert "evil.example" not in mail.text + mail.html
    assert mail.html.count("<a ") == 1


def test_a_composed_mail_says_that_it_is_automatic_and_which_list_it_is_of() -> None:
    mail, notification_id = write(CARRIERS["reset-password"]), uuid7()
    first, second = (
        gateway.compose_mail(mail, notification_id, "Sinyal <no-reply@sinyal.test>", WEB)
        for _ in range(2)
    )
    assert first["List-Id"] == "Sinyal <password-reset.app.sinyal.test>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Message-ID"] == second["Message-ID"] == f"<{notification_id}@app.sinyal.test>"
    assert first.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in first.iter_parts()]
    assert kinds == ["text/plain", "text/html"]


def test_a_mail_in_a_log_line_shows_neither_words_nor_code() -> None:
    assert TOKEN not in repr(write(CARRIERS["verify-email"]))
