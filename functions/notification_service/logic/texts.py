"""What Telegram messages say, in Indonesian and English. HTML; every value is escaped."""

from collections.abc import Callable
from html import escape
from typing import Any

from contracts.billing_service import InvoicePaid
from contracts.envelope import Message
from contracts.money import format_rupiah
from contracts.payment_gateway import PaymentInitiated
from contracts.subscription_service import QuotaExhausted
from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    OrderFilled,
    PositionClosed,
    ReconciliationDiffered,
)
from functions.notification_service.logic.safety import (
    is_worth_telling,
    write_circuit,
    write_foreign,
    write_switch,
)
from functions.notification_service.logic.times import show_time
from functions.notification_service.models import Language


def show_price(points: int, digits: int) -> str:
    """Points as a price."""
    return f"{points / 10**digits:.{digits}f}"


def _lots(volume: int) -> str:
    return f"{volume / 100:.2f}"


def _cents(amount: int) -> str:
    return f"{'-' if amount < 0 else '+'}{abs(amount) / 100:,.2f}"


def _filled(m: OrderFilled, language: Language) -> str:
    side = {"id": {"buy": "BELI", "sell": "JUAL"}, "en": {"buy": "BUY", "sell": "SELL"}}
    price, stop, target = (
        show_price(points, m.digits) for points in (m.price, m.stop_loss, m.take_profit)
    )
    head = f"{side[language][m.direction]} {escape(m.symbol)} {_lots(m.volume)} lot @ {price}"
    return f"<b>{head}</b>\nSL {stop} · TP {target}\n{show_time(m.filled_at)}"


def _closed(m: PositionClosed, language: Language) -> str:
    word = {"id": "TUTUP", "en": "CLOSED"}[language]
    reasons: dict[Language, dict[str, str]] = {
        "id": {
            "stop_loss": "stop loss", "take_profit": "take profit", "horizon": "batas waktu",
            "manual": "manual", "kill_switch": "sakelar darurat", "stop_out": "margin habis",
            "loss_limit": "batas rugi", "time_exit": "batas waktu Anda",
        },
        "en": {
            "stop_loss": "stop loss", "take_profit": "take profit", "horizon": "time limit",
            "manual": "manual", "kill_switch": "kill switch", "stop_out": "stop out",
            "loss_limit": "loss limit", "time_exit": "your time limit",
        },
    }  # fmt: skip
    price = show_price(m.price_close, m.digits)
    return (
        f"<b>{word} {escape(m.symbol)} @ {price}</b> ({reasons[language][m.reason]})\n"
        f"{_cents(m.profit_cents)} · saldo {m.balance_cents / 100:,.2f}"
        if language == "id"
        else f"<b>{word} {escape(m.symbol)} @ {price}</b> ({reasons[language][m.reason]})\n"
        f"{_cents(m.profit_cents)} · balance {m.balance_cents / 100:,.2f}"
    )


def _payment(m: PaymentInitiated, language: Language) -> str:
    amount, until = format_rupiah(m.amount), show_time(m.expires_at)
    bank, va = m.bank.upper(), escape(m.va_number)
    if language == "id":
        return (
            f"<b>Tagihan {escape(m.invoice_number)}: {amount}</b>\n"
            f"Transfer ke virtual account {bank} <code>{va}</code> sebelum {until}."
        )
    return (
        f"<b>Invoice {escape(m.invoice_number)}: {amount}</b>\n"
        f"Transfer to {bank} virtual account <code>{va}</code> before {until}."
    )


def _receipt(m: InvoicePaid, language: Language) -> str:
    amount = format_rupiah(m.total)
    if language == "id":
        return f"<b>Lunas: {escape(m.number)}</b>\n{amount}, {show_time(m.paid_at)}. Terima kasih."
    return f"<b>Paid: {escape(m.number)}</b>\n{amount}, {show_time(m.paid_at)}. Thank you."


def _quota(m: QuotaExhausted, language: Language) -> str:
    again = show_time(m.resets_at)
    if language == "id":
        return f"Kuota {m.limit} prediksi hari ini habis. Mulai lagi {again}."
    return f"Today's {m.limit} predictions are used up. They start again {again}."


_TEXTS: dict[type[Message], tuple[str, Callable[[Any, Language], str]]] = {
    OrderFilled: ("fill", _filled),
    PositionClosed: ("close", _closed),
    PaymentInitiated: ("payment", _payment),
    InvoicePaid: ("receipt", _receipt),
    QuotaExhausted: ("quota", _quota),
    KillSwitchChanged: ("kill_switch", write_switch),
    AccountHealthChanged: ("account_down", write_circuit),
    ReconciliationDiffered: ("foreign_position", write_foreign),
}


def is_news(message: Message) -> bool:
    """Whether there is anything to tell a chat."""
    if isinstance(message, KillSwitchChanged | AccountHealthChanged | ReconciliationDiffered):
        return is_worth_telling(message)
    return not (isinstance(message, InvoicePaid) and message.total == 0)


def write_text(message: Message, language: Language) -> tuple[str, str]:
    """Kind and text of a message to a chat."""
    kind, write = _TEXTS[type(message)]
    return kind, write(message, language)


def write_linked(language: Language) -> str:
    """Answer to a chat that was just linked."""
    return {
        "id": "Akun Sinyal Anda terhubung. Sinyal bukan janji untung; risiko ada pada Anda.",
        "en": "Your Sinyal account is linked. Signals promise no profit; the risk is yours.",
    }[language]
