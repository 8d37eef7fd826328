"""Use cases of the kill switch: engaging never waits, releasing is a human's word that expires.

Versions of a scope (a tenant, or the whole host) come from one row, so the edge can tell which word
is the newest however they arrive.
"""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.trading_engine import EngageKillSwitch, KillSwitchChanged, ReleaseKillSwitch
from functions.trading_engine.models import KeptSwitch, SwitchWord

RELEASE_LIFE = timedelta(minutes=5)
"""A release that comes later than that was meant for another moment."""
REPEAT_WINDOW = timedelta(seconds=1)
"""Engaging is not rate limited: a repeat so soon that asks for no more is the same word."""


class Switches(Protocol):
    """What the use cases need of the store: the row of one scope."""

    def lock(self) -> KeptSwitch:
        """The switch, locked until the transaction ends."""

    def ask(self, word: SwitchWord) -> None:
        """Keep what was asked for."""

    def confirm(self, word: SwitchWord) -> None:
        """Keep what the edge said, unless it said something newer before."""


def engage_switch(
    switches: Switches,
    *,
    flatten: bool,
    reason: str,
    now: datetime,
    command_id: UUID,
    requested_by: UUID,
) -> EngageKillSwitch | None:
    """Ask for the stop; None when the same was asked for a moment ago."""
    last = switches.lock().asked
    if (
        last is not None
        and last.engaged
        and last.flatten >= flatten
        and now - last.at < REPEAT_WINDOW
    ):
        return None
    version = last.version + 1 if last else 1
    switches.ask(SwitchWord(version=version, engaged=True, flatten=flatten, reason=reason, at=now))
    return EngageKillSwitch(
        command_id=command_id,
        version=version,
        flatten=flatten,
        reason=reason,
        requested_by=requested_by,
    )


def release_switch(
    switches: Switches, *, now: datetime, command_id: UUID, requested_by: UUID
) -> ReleaseKillSwitch:
    """Ask for trading to be armed again; also what a limit of an account latched."""
    last = switches.lock().asked
    version = last.version + 1 if last else 1
    switches.ask(SwitchWord(version=version, engaged=False, flatten=False, reason="", at=now))
    return ReleaseKillSwitch(
        command_id=command_id,
        version=version,
        expires_at=now + RELEASE_LIFE,
        requested_by=requested_by,
    )


def confirm_switch(switches: Switches, told: KillSwitchChanged) -> None:
    """Keep the edge's word on a tenant's or the host's switch."""
    switches.confirm(
        SwitchWord(
            version=told.version,
            engaged=told.engaged,
            flatten=told.flatten,
            reason=told.reason,
            at=told.changed_at,
        )
    )
