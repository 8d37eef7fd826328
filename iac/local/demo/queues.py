"""Are the queues quiet? What the demo waits for before it counts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iac.local.demo.client import DemoFailed
from iac.local.stack import Stack

QUIET_LOOKS = 3
LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class QueueDepth:
    """Messages of one queue."""

    name: str
    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """All that are not deleted."""
        return self.waiting + self.in_flight


def read_depths(stack: Stack) -> list[QueueDepth]:
    """Every queue of the deployment, dead-letter queues too."""
    sqs = stack.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    depths = []
    for url in sqs.list_queues(QueueNamePrefix=f"sinyal-{stack.stage}-", MaxResults=1_000)[
        "QueueUrls"
    ]:
        values: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        waiting, in_flight = (int(values["Attributes"][name]) for name in names)
        depths.append(QueueDepth(url.rpartition("/")[2], waiting, in_flight))
    return sorted(depths, key=lambda depth: depth.name)


def wait_until_quiet(
    stack: Stack, note: Callable[[str], None], timeout_s: float = 90.0
) -> list[QueueDepth]:
    """Wait until no work queue holds a message, several looks in a row.

    Dead-letter queues are not waited for: what lies there stays, and the books will say so. The
    edge's own queue is left out: the edge is not running between replays.
    """
    deadline, quiet = time.monotonic() + timeout_s, 0
    while True:
        depths = read_depths(stack)
        busy = [d for d in depths if d.total and not d.name.endswith(("-dlq", "-edge"))]
        quiet = 0 if busy else quiet + 1
        note(f"{sum(d.total for d in busy)} messages on {len(busy)} queues")
        if quiet >= QUIET_LOOKS:
            return depths
        if time.monotonic() > deadline:
            held = ", ".join(f"{d.name}: {d.total}" for d in busy)
            raise DemoFailed(f"the queues did not run dry in {timeout_s:.0f} s: {held}")
        time.sleep(LOOK_EVERY_S)
