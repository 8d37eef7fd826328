"""What each mail says, in the reader's language, as plain text and as simple HTML.

A code stands alone on its line, so that people can copy it and clients of the API can find it; the
link carries it in the fragment, which browsers send to no server. Names and devices were typed by
strangers: they are shown without anything a mail program would turn into a link.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any

from contracts.database_service import TenantExportReady
from contracts.envelope import Message
from contracts.user_management import EmailVerificationRequested, MemberInvited
from contracts.user_service import (
    EmailChangeRequested,
    PasswordResetRequested,
    Role,
    SecurityAlertRaised,
)
from functions.notification_service.logic.alerts import ALERTS
from functions.notification_service.logic.letters import Letter, render_html, render_text
from functions.notification_service.logic.times import show_time
from functions.notification_service.models import Language, Mail

_LINKLIKE = re.compile(r"[:/\\@<>]|\.(?=\w)(?!\d)")
_SPACES = re.compile(r"\s+")

_ROLES: dict[Language, dict[Role, str]] = {
    "id": {"owner": "pemilik", "admin": "admin", "trader": "trader", "viewer": "pengamat"},
    "en": {"owner": "owner", "admin": "admin", "trader": "trader", "viewer": "viewer"},
}


def show_foreign(value: str, most: int = 120) -> str:
    """Text that a stranger chose: one line, no control characters, nothing that links."""
    printable = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in value)
    return _SPACES.sub(" ", _LINKLIKE.sub(" ", printable)).strip()[:most].rstrip()


def _show_address(value: str | None) -> str:
    """A network address, or nothing when it is none."""
    try:
        return str(ipaddress.ip_address(value or ""))
    except ValueError:
        return ""


def _verification(m: EmailVerificationRequested, _at: datetime, web: str) -> Letter:
    until, name = show_time(m.expires_at), show_foreign(m.full_name) or "-"
    link = f"{web}/verify-email#token={m.token}"
    if m.locale == "id":
        return Letter(
            subject="Verifikasi alamat e-mail Anda",
            greeting=f"Halo {name},",
            before=("Satu langkah lagi: buktikan bahwa alamat e-mail ini milik Anda.",),
            link=("Verifikasi e-mail", link),
            code=("Atau masukkan kode verifikasi ini:", m.token),
            after=(
                f"Berlaku sampai {until}, satu kali pakai.",
                "Abaikan surat ini bila Anda tidak mendaftar di Sinyal.",
            ),
        )
    return Letter(
        subject="Verify your e-mail address",
        greeting=f"Hello {name},",
        before=("One more step: show that this e-mail address is yours.",),
        link=("Verify e-mail", link),
        code=("Or enter this verification code:", m.token),
        after=(
            f"It is valid until {until} and works once.",
            "Ignore this mail if you did not sign up for Sinyal.",
        ),
    )


def _password_reset(m: PasswordResetRequested, at: datetime, web: str) -> Letter:
    until, asked = show_time(m.expires_at), show_time(at)
    link = f"{web}/reset-password#token={m.token}"
    if m.locale == "id":
        return Letter(
            subject="Setel ulang kata sandi Anda",
            greeting="Halo,",
            before=(f"Pada {asked} seseorang meminta kata sandi baru untuk akun Sinyal Anda.",),
            link=("Pilih kata sandi baru", link),
            code=("Atau masukkan kode ini:", m.token),
            after=(
                f"Berlaku sampai {until}, satu kali pakai.",
                "Abaikan surat ini bila bukan Anda yang meminta; kata sandi Anda tidak berubah."
                " Jangan berikan kode ini kepada siapa pun, juga tidak kepada kami.",
            ),
        )
    return Letter(
        subject="Reset your password",
        greeting="Hello,",
        before=(f"On {asked} somebody asked for a new password for your Sinyal account.",),
        link=("Choose a new password", link),
        code=("Or enter this code:", m.token),
        after=(
            f"It is valid until {until} and works once.",
            "Ignore this mail if you did not ask; your password stays as it is."
            " Give this code to nobody, not even to us.",
        ),
    )


def _email_change(m: EmailChangeRequested, _at: datetime, web: str) -> Letter:
    until, link = show_time(m.expires_at), f"{web}/confirm-email#token={m.token}"
    if m.locale == "id":
        return Letter(
            subject="Konfirmasi alamat e-mail baru Anda",
            greeting="Halo,",
            before=("Alamat ini diminta menjadi alamat e-mail baru sebuah akun Sinyal.",),
            link=("Konfirmasi alamat", link),
            code=("Atau masukkan kode ini:", m.token),
            after=(
                f"Berlaku sampai {until}, satu kali pakai.",
                "Abaikan surat ini bila bukan Anda yang meminta; tidak ada yang berubah.",
            ),
        )
    return Letter(
        subject="Confirm your new e-mail address",
        greeting="Hello,",
        before=("This address was given as the new e-mail address of a Sinyal account.",),
        link=("Confirm address", link),
        code=("Or enter this code:", m.token),
        after=(
            f"It is valid until {until} and works once.",
            "Ignore this mail if it was not you; nothing changes then.",
        ),
    )


def _invitation(m: MemberInvited, _at: datetime, web: str) -> Letter:
    until, link = show_time(m.expires_at), f"{web}/accept-invitation#token={m.token}"
    inviter, tenant = show_foreign(m.inviter_name), show_foreign(m.tenant_name)
    role = _ROLES[m.locale][m.role]
    if m.locale == "id":
        return Letter(
            subject=f"Undangan bergabung dengan {tenant} di Sinyal",
            greeting="Halo,",
            before=(f"{inviter} mengundang Anda ke {tenant} di Sinyal sebagai {role}.",),
            link=("Terima undangan", link),
            code=("Atau masukkan kode undangan ini:", m.token),
            after=(
                f"Berlaku sampai {until}, satu kali pakai.",
                "Abaikan surat ini bila Anda tidak mengenal pengundang.",
            ),
        )
    return Letter(
        subject=f"Invitation to join {tenant} on Sinyal",
        greeting="Hello,",
        before=(f"{inviter} invites you to {tenant} on Sinyal, with the role {role}.",),
        link=("Accept invitation", link),
        code=("Or enter this invitation code:", m.token),
        after=(
            f"It is valid until {until} and works once.",
            "Ignore this mail if you do not know who invites you.",
        ),
    )


def _alert(m: SecurityAlertRaised, at: datetime, web: str) -> Letter:
    text, link = ALERTS[m.locale][m.kind], f"{web}/security"
    device, address = show_foreign(m.device or "", 100), _show_address(m.address)
    unknown = {"id": "tidak diketahui", "en": "unknown"}[m.locale]
    words = {
        "id": ("Halo,", "Waktu", "Alamat jaringan", "Perangkat", "Periksa keamanan akun"),
        "en": ("Hello,", "Time", "Network address", "Device", "Review account security"),
    }
    greeting, when, where, what, label = words[m.locale]
    return Letter(
        subject=text.subject,
        greeting=greeting,
        before=(text.happened,),
        facts=(
            (when, show_time(at)),
            (where, address or unknown),
            (what, device or unknown),
        ),
        link=(label, link),
        after=(text.advice,),
    )


def _export(m: TenantExportReady, _at: datetime, web: str) -> Letter:
    until, link = show_time(m.expires_at), f"{web}/exports/{m.export_id}"
    if m.locale == "id":
        return Letter(
            subject="Ekspor data Anda sudah siap",
            greeting="Halo,",
            before=("Arsip data yang Anda minta sudah siap diunduh setelah Anda masuk.",),
            link=("Unduh arsip", link),
            after=(
                f"Tersedia sampai {until}, lalu dihapus.",
                "Jika bukan Anda yang meminta: ganti kata sandi Anda dan periksa anggota tim.",
            ),
        )
    return Letter(
        subject="Your data export is ready",
        greeting="Hello,",
        before=("The archive of your data can be downloaded once you are signed in.",),
        link=("Download archive", link),
        after=(
            f"It is kept until {until}, then deleted.",
            "If you did not ask for it: change your password and look at your team's members.",
        ),
    )


_LETTERS: dict[type[Message], tuple[str, str, Callable[[Any, datetime, str], Letter]]] = {
    EmailVerificationRequested: ("verification", "email", _verification),
    PasswordResetRequested: ("password_reset", "email", _password_reset),
    EmailChangeRequested: ("email_change", "new_email", _email_change),
    MemberInvited: ("invitation", "email", _invitation),
    SecurityAlertRaised: ("security_alert", "email", _alert),
    TenantExportReady: ("export_ready", "email", _export),
}
"""Kind, the field with the address, and the words of each message that becomes a mail."""


def write_mail(message: Message, occurred_at: datetime, web_url: str) -> Mail:
    """The mail that a message asks for; links lead to the web app."""
    kind, recipient, write = _LETTERS[type(message)]
    letter = write(message, occurred_at, web_url.rstrip("/"))
    language: Language = getattr(message, "locale", "id")
    return Mail(
        kind=kind,
        to=getattr(message, recipient),
        subject=letter.subject,
        text=render_text(letter, language),
        html=render_html(letter, language),
    )
