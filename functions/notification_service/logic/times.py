"""Instants as people in Indonesia read them; mails and chats write them alike."""

from datetime import datetime, timedelta, timezone

WIB = timezone(timedelta(hours=7), "WIB")


def show_time(instant: datetime) -> str:
    """An instant as Jakarta's clock shows it."""
    return instant.astimezone(WIB).strftime("%Y-%m-%d %H:%M WIB")
