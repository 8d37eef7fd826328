"""Faults on demand: what a test asks a sandbox to do wrong, and how often."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

FAULTS_MAX = 200
DELAY_MS_MAX = 120_000
EFFECTS = ("status", "delay_ms", "body", "drop", "drip_ms", "reply")


class Fault(BaseModel):
    """One fault; it strikes requests whose "METHOD path body" contains `match`.

    after: let the provider do its work first, then fail: an outcome the client cannot know.
    reply: words for the provider itself (the LLM sandboxes: text, finish, usage).
    """

    model_config = ConfigDict(extra="forbid")

    match: str = Field(default="", max_length=2_000)
    status: int | None = Field(default=None, ge=200, le=599)
    delay_ms: int = Field(default=0, ge=0, le=DELAY_MS_MAX)
    body: Any = None
    drop: bool = False
    times: int = Field(default=1, ge=1, le=100_000)
    after: bool = False
    drip_ms: int = Field(default=0, ge=0, le=10_000)
    headers: dict[str, str] = Field(default_factory=dict, max_length=20)
    retry_after: int | None = Field(default=None, ge=0, le=86_400)
    reply: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _demand_an_effect(self) -> "Fault":
        if not any(getattr(self, effect) not in (None, 0, False) for effect in EFFECTS):
            raise ValueError(f"a fault needs one of {', '.join(EFFECTS)}")
        return self

    def describe(self) -> dict[str, Any]:
        """Show the fault without the fields it leaves alone."""
        return self.model_dump(exclude_defaults=True) | {"match": self.match, "times": self.times}


class FaultTable:
    """Faults still to come, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Queue a fault.

        Raises ValueError for a malformed one, or when FAULTS_MAX are waiting.
        """
        if len(self._faults) >= FAULTS_MAX:
            raise ValueError(f"{FAULTS_MAX} faults are waiting already")
        fault = Fault.model_validate(dict(spec))
        self._faults.append(fault)
        return fault

    def take(self, line: str) -> Fault | None:
        """Use up one turn of the oldest fault that strikes this request line."""
        for fault in self._faults:
            if fault.match in line:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def waiting(self) -> list[dict[str, Any]]:
        """List the faults that have not been used up."""
        return [fault.describe() for fault in self._faults]

    def clear(self) -> None:
        """Forget every fault."""
        self._faults.clear()
