"""What Telegram says when trading stops, or goes on: switches, given-up terminals, foreign trades.

HTML; every value is escaped. Reasons are the edge's own words and may be missing.
"""

from html import escape

from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    ReconciliationDiffered,
)
from functions.notification_service.logic.times import show_time
from functions.notification_service.models import Language


def is_worth_telling(
    message: KillSwitchChanged | AccountHealthChanged | ReconciliationDiffered,
) -> bool:
    """Whether somebody has to hear of it: terminals come and go by themselves, most differences
    are settled within seconds, and the host's switch is the platform's."""
    if isinstance(message, KillSwitchChanged):
        return message.scope != "host"
    if isinstance(message, AccountHealthChanged):
        return message.health == "circuit_open"
    return message.kind == "external_position"


def write_switch(m: KillSwitchChanged, language: Language) -> str:
    """Trading was stopped, or armed again."""
    whose = {
        "id": "satu akun" if m.scope == "account" else "semua akun",
        "en": "one account" if m.scope == "account" else "all accounts",
    }[language]
    if not m.engaged:
        head = {"id": "Perdagangan aktif lagi", "en": "Trading is armed again"}[language]
        return f"<b>{head}</b> ({whose})\n{show_time(m.changed_at)}"
    head = {"id": "Sakelar darurat aktif", "en": "Kill switch engaged"}[language]
    closing = {"id": "Posisi terbuka ditutup.", "en": "Open positions are being closed."}
    lines = [f"<b>{head}</b> ({whose})"]
    if m.reason:
        lines.append(escape(m.reason))
    if m.flatten:
        lines.append(closing[language])
    return "\n".join([*lines, show_time(m.changed_at)])


def write_circuit(m: AccountHealthChanged, language: Language) -> str:
    """An account's terminal failed so often that it is left alone for now."""
    head = {
        "id": "Akun tidak dapat dihubungi; perdagangannya berhenti",
        "en": "An account cannot be reached; its trading stopped",
    }[language]
    advice = {
        "id": "Periksa login, server, dan kata sandi akun.",
        "en": "Check the account's login, server and password.",
    }[language]
    reason = f"{escape(m.reason)}\n" if m.reason else ""
    return f"<b>{head}</b>\n{reason}{advice}\n{show_time(m.changed_at)}"


def write_foreign(m: ReconciliationDiffered, language: Language) -> str:
    """A position is there that we did not open."""
    what = f"{escape(m.symbol or '?')} {m.volume / 100:.2f} lot"
    head = {
        "id": f"Posisi dari luar Sinyal: {what}",
        "en": f"A position from outside Sinyal: {what}",
    }[language]
    held = {
        "id": "Posisi baru di akun ini menunggu sampai selesai.",
        "en": "New entries on this account wait until it is settled.",
    }[language]
    return f"<b>{head}</b>\n{held}\n{show_time(m.seen_at)}"
