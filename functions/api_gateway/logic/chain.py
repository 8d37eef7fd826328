"""The audit log's chain: each entry's hash covers its facts and the hash before it.

Address and device are in the hash as salted hashes. When both values and salts are erased, the
chain still verifies and nobody can guess them back.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from contracts.audit import AuditRecorded

START = "0" * 64
"""Stands where the first entry's predecessor would."""

_FACTS = (
    "tenant_id", "seq", "event_id", "occurred_at", "room", "actor_kind", "actor_id", "action",
    "target_kind", "target_id", "detail", "correlation_id", "address_hash", "device_hash",
)  # fmt: skip
_ERASABLE = ("address", "device")
SALT_BYTES = 16


class Head(NamedTuple):
    """Where a chain ends; seq 0 before its first entry."""

    seq: int = 0
    hash: str = START


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying a chain found."""

    tenant_id: UUID
    entries: int
    erased: int
    head: Head
    broken_at: int | None = None
    reason: str = ""


class AuditLog(Protocol):
    """A tenant's chain, as far as appending goes."""

    def lock(self) -> None:
        """Let nobody else append until the transaction ends."""

    def holds(self, event_id: UUID) -> bool:
        """Whether the event has its entry."""

    def read_head(self) -> tuple[int, str] | None:
        """Where the chain ends."""

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write an entry and move the head to it."""


class Said(NamedTuple):
    """An audited deed and the event that told of it."""

    event_id: UUID
    correlation_id: UUID
    occurred_at: datetime
    deed: AuditRecorded


def append_entry(log: AuditLog, tenant_id: UUID, said: Said) -> bool:
    """Add what was said to the chain's end, once an event; False when it was there."""
    log.lock()
    if log.holds(said.event_id):
        return False
    seq, prev_hash = log.read_head() or Head()
    entry: dict[str, Any] = {
        "tenant_id": tenant_id,
        "seq": seq + 1,
        "event_id": said.event_id,
        "occurred_at": said.occurred_at,
        "correlation_id": said.correlation_id,
        **said.deed.model_dump(),
        "prev_hash": prev_hash,
    }
    for name in _ERASABLE:
        value = entry[name]
        salt = secrets.token_hex(SALT_BYTES)
        entry[f"{name}_salt"] = None if value is None else salt
        entry[f"{name}_hash"] = None if value is None else hash_value(salt, value)
    log.add({**entry, "hash": hash_entry(entry, prev_hash)})
    return True


def hash_value(salt: str, value: str) -> str:
    """The hash that stands for an address or device."""
    return hashlib.sha256(f"{salt}\x1f{value}".encode()).hexdigest()


def hash_entry(entry: Mapping[str, Any], prev_hash: str) -> str:
    """SHA-256 of the entry's canonical JSON and the hash before it."""
    facts = {name: _write_fact(entry[name]) for name in _FACTS}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{text}\n{prev_hash}".encode()).hexdigest()


def _write_fact(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


def verify_chain(tenant_id: UUID, entries: Iterable[Mapping[str, Any]], head: Head) -> ChainReport:
    """Walk a chain in the order of its numbers and say where it breaks first, if it does."""
    before, count, erased = Head(), 0, 0
    for entry in entries:
        reason = _find_break(entry, before)
        if reason:
            broken_at = before.seq + 1
            return ChainReport(tenant_id, count, erased, before, broken_at, reason)
        before = Head(entry["seq"], entry["hash"])
        count += 1
        erased += entry["erased_at"] is not None
    if before != head:
        reason = "the chain does not end where its head says"
        return ChainReport(tenant_id, count, erased, before, before.seq + 1, reason)
    return ChainReport(tenant_id, count, erased, before)


def _find_break(entry: Mapping[str, Any], before: Head) -> str:
    """Why an entry cannot follow; empty when it can."""
    if entry["seq"] != before.seq + 1:
        return "an entry is missing"
    if entry["prev_hash"] != before.hash:
        return "the entry does not follow the one before it"
    if hash_entry(entry, before.hash) != entry["hash"]:
        return "a fact of the entry was changed"
    for name in _ERASABLE:
        value, salt, hashed = entry[name], entry[f"{name}_salt"], entry[f"{name}_hash"]
        if entry["erased_at"] is not None or hashed is None:
            if value is not None or salt is not None:
                return f"the entry's {name} was added"
        elif value is None or salt is None or hash_value(salt, value) != hashed:
            return f"the entry's {name} was changed"
    return ""
