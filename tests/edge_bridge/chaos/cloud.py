"""The cloud in virtual time: a queue that repeats and reorders, a bus that fails and loses answers.

`SimQueue` stands where SQS does, `SimSender` where bus and market queue do: their classes are those
of the link, so that journal, intake and publisher are the edge's own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from botocore.exceptions import EndpointConnectionError

from contracts.envelope import Envelope
from edge_bridge.link.aws import Received, Taken
from edge_bridge.link.journal import OutboxRow

SECOND_NS = 1_000_000_000
VISIBILITY_NS = 5 * SECOND_NS


@dataclass
class Outage:
    """When the cloud cannot be reached."""

    until_ns: int = 0
    now_ns: int = 0

    def check(self) -> None:
        """Raise what boto3 raises."""
        if self.now_ns < self.until_ns:
            raise EndpointConnectionError(endpoint_url="https://cloud.invalid")


@dataclass
class SimQueue:
    """The edge's queue: at least once, in any order."""

    outage: Outage
    rng: Random
    waiting: list[tuple[int, int, str]] = field(default_factory=list)
    """Visible from, number, body."""
    numbered: int = 0
    flying: dict[str, tuple[int, str]] = field(default_factory=dict)

    def put(self, envelope: Envelope) -> None:
        """Send a message: up to three times, each whenever it likes within half a minute."""
        body = json.dumps(
            {
                "source": envelope.source,
                "detail-type": envelope.detail_type,
                "detail": json.loads(envelope.to_json()),
            }
        )
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            late = self.rng.choice((0, 0, self.rng.randrange(30 * SECOND_NS)))
            self.waiting.append((self.outage.now_ns + late, self.numbered, body))
            self.numbered += 1

    def receive(self, wait_s: int) -> list[Received]:
        """Up to ten visible messages, in no order."""
        del wait_s
        self.outage.check()
        now = self.outage.now_ns
        for handle, (until, body) in list(self.flying.items()):
            if until <= now:
                del self.flying[handle]
                self.waiting.append((now, self.numbered, body))
                self.numbered += 1
        visible = [each for each in self.waiting if each[0] <= now]
        self.rng.shuffle(visible)
        taken: list[Received] = []
        for each in visible[:10]:
            self.waiting.remove(each)
            handle = str(each[1])
            self.flying[handle] = (now + VISIBILITY_NS, each[2])
            taken.append(Received(handle, each[2]))
        return taken

    def list_bodies(self) -> list[dict[str, Any]]:
        """Every message that waits or is in flight."""
        texts = [each[2] for each in self.waiting] + [body for _, body in self.flying.values()]
        return [json.loads(text) for text in texts]

    def delete(self, handles: Sequence[str]) -> None:
        """Forget messages; now and then the call is lost on its way."""
        self.outage.check()
        if self.rng.random() < 0.1:
            return
        for handle in handles:
            self.flying.pop(handle, None)

    def put_back(self, handle: str, seconds: int) -> None:
        """Make a message visible again later."""
        until, body = self.flying[handle]
        self.flying[handle] = (min(until, self.outage.now_ns + seconds * SECOND_NS), body)

    def count(self) -> int:
        """Messages waiting or in flight."""
        return len(self.waiting) + len(self.flying)


@dataclass
class SimSender:
    """The bus or the market queue: takes some, refuses some for now, loses some answers."""

    outage: Outage
    rng: Random
    calm: bool = False
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By event id, as the readers would know them."""
    order: list[str] = field(default_factory=list)
    repeated: int = 0

    def send(self, rows: Sequence[OutboxRow]) -> Taken:
        """Take rows; one call in ten answers with an error though all was taken."""
        self.outage.check()
        sent = [row for row in rows if self.calm or self.rng.random() > 0.05]
        for row in sent:
            self._take(row)
        if not self.calm and self.rng.random() < 0.1:
            raise EndpointConnectionError(endpoint_url="https://cloud.invalid")
        return Taken(sent, [])

    def _take(self, row: OutboxRow) -> None:
        body = json.loads(row.body)
        known = self.taken.get(row.event_id)
        if known is not None:
            self.repeated += 1
            assert known["body"] == body, f"{row.event_id} was sent with two contents"
            return
        self.taken[row.event_id] = {"type": row.detail_type, "body": body}
        self.order.append(row.event_id)

    def list_events(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of one type, in the order they were taken."""
        return [self.taken[i]["body"] for i in self.order if self.taken[i]["type"] == kind]
