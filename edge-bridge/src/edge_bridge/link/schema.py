"""The tables of the edge's memory and the rows that come out of them."""

from dataclasses import dataclass
from typing import NamedTuple

from contracts.envelope import Envelope
from edge_bridge.link.outbox import Lane, WrittenMessage

TABLES: dict[Lane, str] = {"bus": "bus_outbox", "market": "market_outbox"}
INSERTS: dict[Lane, str] = {
    "bus": "INSERT INTO bus_outbox (event_id, source, detail_type, body) VALUES (?, ?, ?, ?)",
    "market": "INSERT INTO market_outbox (event_id, source, detail_type, body) VALUES (?, ?, ?, ?)",
}
SCHEMA = """
CREATE TABLE IF NOT EXISTS bus_outbox (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, source TEXT NOT NULL,
  detail_type TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS market_outbox (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, source TEXT NOT NULL,
  detail_type TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
  kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, detail_type TEXT NOT NULL,
  body TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS set_aside (
  event_id TEXT PRIMARY KEY, lane TEXT NOT NULL, detail_type TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS inbox_open ON inbox (seq) WHERE done = 0;
"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits to be sent."""

    seq: int
    event_id: str
    source: str
    detail_type: str
    body: str


class InboxRow(NamedTuple):
    """A message that came and is not handled yet."""

    event_id: str
    detail_type: str
    body: str


def make_row(envelope: Envelope | WrittenMessage) -> tuple[str, str, str, str]:
    """An envelope as an outbox holds it."""
    if isinstance(envelope, WrittenMessage):
        return envelope
    return (
        str(envelope.meta.event_id), envelope.source, envelope.detail_type, envelope.to_json()
    )  # fmt: skip
