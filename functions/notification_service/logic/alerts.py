"""What a security alert says of each thing that can happen to an account, and what to do then.

A reader must know in one glance whether it was their own doing; so each kind has its own words, and
the advice for when it was not.
"""

from dataclasses import dataclass

from contracts.user_service import AlertKind
from functions.notification_service.models import Language


@dataclass(frozen=True, slots=True)
class AlertText:
    """A subject, what happened, and what to do if it was not the reader."""

    subject: str
    happened: str
    advice: str


_RESET = {
    "id": "Jika bukan Anda: setel ulang kata sandi Anda sekarang, lalu akhiri semua sesi.",
    "en": "If it was not you: reset your password now, then end all sessions.",
}

_INDONESIAN: dict[AlertKind, AlertText] = {
    "refresh_reused": AlertText(
        "Sesi diakhiri: kunci masuk lama dipakai lagi",
        "Kunci masuk yang sudah diganti dipakai sekali lagi. Mungkin seseorang menyalinnya, maka"
        " kami mengakhiri sesi itu di semua perangkat yang memakainya.",
        "Masuk lagi seperti biasa. Jika Anda tidak mengenali perangkat ini, ganti kata sandi Anda.",
    ),
    "account_locked": AlertText(
        "Masuk ke akun Anda ditahan sementara",
        "Kata sandi yang salah dimasukkan terlalu sering, maka kami menahan proses masuk sementara"
        " waktu. Kata sandi Anda tidak berubah.",
        "Jika itu Anda: tunggu sebentar, atau setel ulang kata sandi. Jika bukan: pastikan kata"
        " sandi Anda tidak dipakai di tempat lain dan nyalakan autentikasi dua langkah.",
    ),
    "password_changed": AlertText(
        "Kata sandi Anda telah diganti",
        "Kata sandi akun Sinyal Anda telah diganti, dan sesi lainnya diakhiri.",
        _RESET["id"],
    ),
    "email_changed": AlertText(
        "Alamat e-mail akun Anda telah diganti",
        "Akun Sinyal Anda sekarang memakai alamat e-mail lain. Alamat ini tidak dapat dipakai untuk"
        " masuk lagi.",
        "Jika bukan Anda: hubungi dukungan Sinyal segera agar kami dapat mengamankan akun Anda.",
    ),
    "mfa_enabled": AlertText(
        "Autentikasi dua langkah dinyalakan",
        "Mulai sekarang masuk ke akun Sinyal Anda memerlukan kode dari aplikasi autentikator.",
        _RESET["id"],
    ),
    "mfa_disabled": AlertText(
        "Autentikasi dua langkah dimatikan",
        "Akun Sinyal Anda sekarang dilindungi kata sandi saja.",
        "Jika bukan Anda: setel ulang kata sandi Anda sekarang, lalu nyalakan lagi autentikasi dua"
        " langkah.",
    ),
    "recovery_code_used": AlertText(
        "Kode pemulihan dipakai",
        "Salah satu kode pemulihan Anda dipakai sebagai pengganti kode autentikator. Kode itu tidak"
        " berlaku lagi.",
        "Jika bukan Anda: setel ulang kata sandi Anda sekarang, lalu buat kode pemulihan baru.",
    ),
    "recovery_codes_renewed": AlertText(
        "Kode pemulihan baru dibuat",
        "Kode pemulihan baru dibuat untuk akun Anda. Kode yang lama tidak berlaku lagi.",
        _RESET["id"],
    ),
    "api_key_created": AlertText(
        "Kunci API baru dibuat",
        "Kunci API baru dibuat atas nama Anda. Siapa pun yang memegangnya dapat memakai API sebatas"
        " hak kunci itu.",
        "Jika bukan Anda: hapus kunci itu sekarang, lalu ganti kata sandi Anda.",
    ),
    "new_device": AlertText(
        "Masuk dari perangkat baru",
        "Seseorang masuk ke akun Sinyal Anda dari perangkat yang belum pernah kami lihat.",
        _RESET["id"],
    ),
}

_ENGLISH: dict[AlertKind, AlertText] = {
    "refresh_reused": AlertText(
        "Session ended: an old sign-in key was used again",
        "A sign-in key that had been replaced was used once more. Somebody may have copied it, so"
        " we ended that session on every device that used it.",
        "Sign in again as usual. If you do not know this device, change your password.",
    ),
    "account_locked": AlertText(
        "Signing in to your account is paused",
        "A wrong password was entered too often, so we paused signing in for a while. Your password"
        " has not changed.",
        "If it was you: wait a little, or reset your password. If not: make sure that you use this"
        " password nowhere else, and turn on two-factor authentication.",
    ),
    "password_changed": AlertText(
        "Your password was changed",
        "The password of your Sinyal account was changed, and other sessions were ended.",
        _RESET["en"],
    ),
    "email_changed": AlertText(
        "Your account's e-mail address was changed",
        "Your Sinyal account uses another e-mail address now. This one signs in no longer.",
        "If it was not you: contact Sinyal's support at once, so that we can secure your account.",
    ),
    "mfa_enabled": AlertText(
        "Two-factor authentication was turned on",
        "From now on, signing in to your Sinyal account takes a code of an authenticator app.",
        _RESET["en"],
    ),
    "mfa_disabled": AlertText(
        "Two-factor authentication was turned off",
        "Your Sinyal account is now protected by its password alone.",
        "If it was not you: reset your password now, then turn two-factor authentication on again.",
    ),
    "recovery_code_used": AlertText(
        "A recovery code was used",
        "One of your recovery codes was used in place of an authenticator code. It is spent now.",
        "If it was not you: reset your password now, then make new recovery codes.",
    ),
    "recovery_codes_renewed": AlertText(
        "New recovery codes were made",
        "New recovery codes were made for your account. The old ones work no longer.",
        _RESET["en"],
    ),
    "api_key_created": AlertText(
        "A new API key was made",
        "A new API key was made in your name. Whoever holds it can use the API within that key's"
        " rights.",
        "If it was not you: delete that key now, then change your password.",
    ),
    "new_device": AlertText(
        "A sign-in from a new device",
        "Somebody signed in to your Sinyal account from a device we have not seen before.",
        _RESET["en"],
    ),
}

ALERTS: dict[Language, dict[AlertKind, AlertText]] = {"id": _INDONESIAN, "en": _ENGLISH}
