"""Kill switches of the host and of tenants: latched until a human arms trading again.

A switch is what the newest command of its scope said. Versions make order and repetition harmless;
nothing here looks at equity, and time only refuses: a release that comes after it expired is void.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.envelope import Contract
from contracts.trading_engine import EngageKillSwitch, KillSwitchChanged, ReleaseKillSwitch
from edge_bridge.engine.journal import Record

KIND = "switch"
HOST = "host"


class Switch(Contract):
    """The newest state of one scope."""

    tenant_id: UUID | None
    version: int
    engaged: bool
    flatten: bool = False
    reason: str = ""

    @property
    def key(self) -> str:
        """Names the scope."""
        return str(self.tenant_id) if self.tenant_id else HOST

    @property
    def record(self) -> Record:
        """The switch as a record of the journal."""
        return KIND, self.key, self.model_dump_json()

    def describe(self, now: datetime) -> KillSwitchChanged:
        """What the outside hears of it."""
        scope: Literal["tenant", "host"] = "tenant" if self.tenant_id else "host"
        return KillSwitchChanged(
            scope=scope, version=self.version, engaged=self.engaged, flatten=self.flatten,
            reason=self.reason, changed_at=now,
        )  # fmt: skip


class Switches:
    """All switches; a scope that nobody commanded is armed."""

    def __init__(self) -> None:
        self.known: dict[UUID | None, Switch] = {}

    def engage(self, tenant_id: UUID | None, command: EngageKillSwitch) -> Switch | None:
        """Latch a scope; the switch when this was news."""
        return self._take(
            Switch(
                tenant_id=tenant_id, version=command.version, engaged=True,
                flatten=command.flatten, reason=command.reason,
            )
        )  # fmt: skip

    def release(
        self, tenant_id: UUID | None, command: ReleaseKillSwitch, now: datetime
    ) -> Switch | None:
        """Arm a scope; the switch when this was news and in time."""
        if now > command.expires_at:
            return None
        return self._take(Switch(tenant_id=tenant_id, version=command.version, engaged=False))

    def refuse(self, tenant_id: UUID | None, command: ReleaseKillSwitch) -> Switch | None:
        """How a scope stands after a release that came too late, under the release's version so
        that whoever waits for its answer gets one; None when a newer command was taken. The void
        command is not kept: one that was sent before it and comes after it still counts."""
        known = self.known.get(tenant_id)
        if known is not None and known.version >= command.version:
            return None
        reason = "the release came too late and is void; ask again"
        stands = known or Switch(tenant_id=tenant_id, version=0, engaged=False)
        return stands.model_copy(update={"version": command.version, "reason": reason})

    def _take(self, switch: Switch) -> Switch | None:
        known = self.known.get(switch.tenant_id)
        if known is not None and known.version >= switch.version:
            return None
        self.known[switch.tenant_id] = switch
        return switch

    def is_engaged(self, tenant_id: UUID) -> bool:
        """Whether a tenant's entries are stopped, by its own switch or the host's."""
        if not self.known:
            return False
        host, own = self.known.get(None), self.known.get(tenant_id)
        return (host is not None and host.engaged) or (own is not None and own.engaged)

    def is_flattening(self, tenant_id: UUID) -> bool:
        """Whether a tenant's positions have to go."""
        return any(
            switch is not None and switch.engaged and switch.flatten
            for switch in (self.known.get(None), self.known.get(tenant_id))
        )

    def load(self, load: Callable[[str], dict[str, str]]) -> None:
        """Read the switches back."""
        for text in load(KIND).values():
            switch = Switch.model_validate_json(text)
            self.known[switch.tenant_id] = switch
