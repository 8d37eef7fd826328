"""SQL of kill switches, a tenant's and the host's, and of the news calendar."""

import json
from typing import Any, ClassVar

from contracts.trading_limits import NewsWindow
from functions.trading_engine.models import KeptSwitch, SwitchWord
from kit.db import Transaction

_WORDS = (
    "version, asked, asked_flatten, asked_reason, asked_at, seen_version, seen, seen_flatten,"
    " seen_reason, seen_at"
)
_ASK = (
    "version = %(version)s, asked = %(engaged)s, asked_flatten = %(flatten)s,"
    " asked_reason = %(reason)s, asked_at = %(at)s"
)
_CONFIRM = (
    "seen_version = %(version)s, seen = %(engaged)s, seen_flatten = %(flatten)s,"
    " seen_reason = %(reason)s, seen_at = %(at)s"
)
_NEWER = "(seen_at IS NULL OR (seen_version, seen_at) <= (%(version)s, %(at)s::timestamptz))"


class SwitchStore:
    """The switch of the transaction's tenant."""

    FIND: ClassVar[str] = f"SELECT {_WORDS} FROM kill_switches WHERE tenant_id = %(tenant)s"
    ASK: ClassVar[str] = f"UPDATE kill_switches SET {_ASK} WHERE tenant_id = %(tenant)s"
    CONFIRM: ClassVar[str] = (
        f"UPDATE kill_switches SET {_CONFIRM} WHERE tenant_id = %(tenant)s AND {_NEWER}"
    )

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def find(self) -> KeptSwitch:
        """The switch; empty before anything was said of it."""
        return KeptSwitch.of(self._tx.fetch_one(self.FIND, self._bind()))

    def lock(self) -> KeptSwitch:
        """The switch, locked until the transaction ends: its words are numbered one by one."""
        self._make_row()
        return KeptSwitch.of(self._tx.fetch_one(f"{self.FIND} FOR UPDATE", self._bind()))

    def ask(self, word: SwitchWord) -> None:
        """Keep what was asked for."""
        self._tx.execute(self.ASK, self._bind(word))

    def confirm(self, word: SwitchWord) -> None:
        """Keep what the edge said, unless it said something newer before."""
        self._make_row()
        self._tx.execute(self.CONFIRM, self._bind(word))

    def _make_row(self) -> None:
        self._tx.execute(
            "INSERT INTO kill_switches (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING",
            [self._tx.tenant_id],
        )

    def _bind(self, word: SwitchWord | None = None) -> dict[str, Any]:
        own = {"tenant": self._tx.tenant_id}
        return own if word is None else {**own, **word.model_dump()}


class HostSwitchStore(SwitchStore):
    """The switch of the whole host: one row that is always there, and that no tenant owns."""

    FIND: ClassVar[str] = f"SELECT {_WORDS} FROM host_switch WHERE one"
    ASK: ClassVar[str] = f"UPDATE host_switch SET {_ASK} WHERE one"
    CONFIRM: ClassVar[str] = f"UPDATE host_switch SET {_CONFIRM} WHERE one AND {_NEWER}"

    def _make_row(self) -> None:
        """The migration made it."""


class CalendarStore:
    """The news calendar: the platform's, one, whole."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def read(self) -> dict[str, Any]:
        """Version, windows and when they were published."""
        row = self._tx.fetch_one("SELECT version, windows, published_at FROM news_calendar")
        assert row is not None, "the migration made the row"
        return row

    def publish(self, windows: list[NewsWindow]) -> dict[str, Any]:
        """Replace the calendar; its new version counts on from the one before."""
        row = self._tx.fetch_one(
            "UPDATE news_calendar SET version = version + 1, windows = %s, published_at = %s"
            " RETURNING version, windows, published_at",
            [json.dumps([w.model_dump(mode="json") for w in windows]), self._tx.now],
        )
        assert row is not None, "the migration made the row"
        return row
