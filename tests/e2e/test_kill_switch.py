"""A tenant's limits and kill switch, from the API to the edge and back through the deployed stack.

The test stands where ai_orchestration would: the edge's market stands still at each bar until this
test decides, so each signal meets the switch as it was known to be.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from contracts.data_bridge import BarClosed
from contracts.ids import uuid7
from iac.local.demo.market import Market
from iac.local.demo.replay import EdgeRun, start_edge
from iac.local.demo.training import put_message
from iac.local.stack import Stack
from tests.support.deployed import DeployedStack
from tests.support.people import Person, eventually, sign_up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

HOUR = Market(
    start=datetime(2014, 5, 14, 13, 0, tzinfo=UTC), end=datetime(2014, 5, 14, 14, 0, tzinfo=UTC)
)
PATH = "/v1/kill-switch"
DECISION_WAIT_S = 120
"""The market waits longer for a decision than this test takes between two."""


class DecisionDesk:
    """Hears every closed bar instead of ai_orchestration, and answers each once."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._sqs = stack, stack.client("sqs")
        name = f"decisions-{uuid7().hex[-8:]}"
        self.queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        self.arn = self._sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        self.waiting: BarClosed | None = None

    def close(self) -> None:
        self._sqs.delete_queue(QueueUrl=self.queue)

    def await_bar(self) -> BarClosed:
        """The bar at which the market stands still now."""
        if self.waiting is None:
            self.waiting = eventually(self._receive, "a closed bar")
        return self.waiting

    def _receive(self) -> BarClosed | None:
        found = self._sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=1)
        for message in found.get("Messages", []):
            self._sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            return BarClosed.model_validate(json.loads(message["Body"])["detail"]["data"])
        return None

    def withhold(self, bars: int) -> None:
        """Let market time pass."""
        for _ in range(bars):
            bar = self.await_bar()
            self._answer(
                SignalWithheld(
                    decision_id=uuid7(), bar_id=bar.bar_id, symbol=bar.symbol,
                    timeframe=bar.timeframe, reason="edge_below_cost", as_of=bar.closed_at,
                )
            )  # fmt: skip

    def signal(self) -> str:
        """Issue a signal on the bar of now; its id."""
        bar = self.await_bar()
        signal = SignalIssued(
            signal_id=uuid7(), decision_id=uuid7(), bar_id=bar.bar_id, symbol=bar.symbol,
            digits=bar.digits, timeframe=bar.timeframe, direction="buy", probability=0.6,
            size_factor=1.0, stop_distance=200, target_distance=300, horizon_s=3_600,
            as_of=bar.closed_at, expires_at=bar.closed_at + timedelta(seconds=60),
            model_version="by hand",
        )  # fmt: skip
        self._answer(signal)
        return str(signal.signal_id)

    def _answer(self, decision: SignalIssued | SignalWithheld) -> None:
        put_message(self._stack, decision)
        self.waiting = None


@contextmanager
def deciding(stack: Stack) -> Iterator[DecisionDesk]:
    """Bars go to the desk; what ai_orchestration hears comes back at the end."""
    events, bus = stack.client("events"), f"sinyal-{stack.stage}"
    name = f"sinyal-{stack.stage}-ai-orchestration"
    rule = events.describe_rule(Name=name, EventBusName=bus)
    pattern = json.loads(rule["EventPattern"])
    kinds = [kind for kind in pattern["detail-type"] if kind != "BarClosed"]
    assert len(kinds) == len(pattern["detail-type"]) - 1
    desk, mine = DecisionDesk(stack), {"Name": "decided-by-hand", "EventBusName": bus}
    events.put_rule(**mine, EventPattern=json.dumps({"detail-type": ["BarClosed"]}))
    events.put_targets(
        Rule="decided-by-hand", EventBusName=bus, Targets=[{"Id": "desk", "Arn": desk.arn}]
    )
    events.put_rule(
        Name=name, EventBusName=bus, EventPattern=json.dumps(pattern | {"detail-type": kinds})
    )
    try:
        yield desk
    finally:
        events.put_rule(Name=name, EventBusName=bus, EventPattern=rule["EventPattern"])
        events.remove_targets(Rule="decided-by-hand", EventBusName=bus, Ids=["desk"])
        events.delete_rule(**mine)
        desk.close()


@contextmanager
def running_edge(stack: Stack, folder: Path) -> Iterator[EdgeRun]:
    """The edge process over an hour of ticks, until the test has seen enough."""
    run = EdgeRun(folder / "edge")
    process = start_edge(stack, HOUR, run, 2, DECISION_WAIT_S=str(DECISION_WAIT_S))
    try:
        yield run
        assert process.poll() is None, run.log.read_text()
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


def link_paper(person: Person) -> str:
    """A paper account that the edge may trade."""

    def link() -> str | None:
        body = {"mode": "paper", "max_open_positions": 3}
        answer = person.call("POST", "/v1/accounts", body)
        return str(answer.body["account_id"]) if answer.status == 201 else None

    return eventually(link, "a paper account")


def await_confirmed(person: Person) -> None:
    """Wait until the edge knows the tenant's account."""

    def look() -> bool | None:
        items = person.expect(200, "GET", "/v1/accounts")["items"]
        return True if all(each["confirmed"] for each in items) else None

    assert eventually(look, "the edge's word on the account")


def await_switch(person: Person, version: int) -> dict[str, Any]:
    """The tenant's switch once the edge answered a word."""

    def look() -> dict[str, Any] | None:
        shown = person.expect(200, "GET", PATH)
        told = shown["confirmed"]
        return shown if told is not None and told["version"] == version else None

    return eventually(look, f"the edge's answer to word {version}")


def await_order(person: Person, signal_id: str) -> dict[str, Any]:
    """What became of a signal at the tenant's account."""

    def look() -> dict[str, Any] | None:
        items = person.expect(200, "GET", "/v1/orders?limit=50")["items"]
        return next((each for each in items if each["signal_id"] == signal_id), None)

    return eventually(look, "the order of a signal")


def test_a_tenants_limits_and_switch_reach_the_edge_and_stop_that_tenant_alone(
    stack: Stack, tmp_path: Path
) -> None:
    world = DeployedStack(stack)
    owner, stranger = sign_up(world, "pro"), sign_up(world, "pro")
    for person in (owner, stranger):
        link_paper(person)
    kept = owner.expect(200, "PUT", "/v1/risk-limits", {"sizing": {"risk_bp": 10}})
    assert (kept["source"], kept["pending"]) == ("tenant", None)
    with deciding(stack) as desk, running_edge(stack, tmp_path):
        for person in (owner, stranger):
            await_confirmed(person)
        desk.await_bar()
        engaged = owner.expect(202, "POST", PATH, {"reason": "a bad day"})
        assert (engaged["engaged"], engaged["waiting"]) == (True, True)
        shown = await_switch(owner, engaged["asked"]["version"])
        assert (shown["engaged"], shown["waiting"]) == (True, False)
        assert shown["confirmed"]["reason"] == "a bad day"

        stopped = desk.signal()
        order = await_order(owner, stopped)
        assert (order["state"], order["reason"]) == ("denied", "kill_switch")
        assert await_order(stranger, stopped)["state"] == "filled"
        assert stranger.expect(200, "GET", PATH)["engaged"] is False

        assert owner.call("DELETE", PATH).code == "step_up_needed"
        owner.take_authenticator()
        released = owner.expect(202, "DELETE", PATH)
        shown = await_switch(owner, released["asked"]["version"])
        assert (shown["engaged"], shown["confirmed"]["engaged"]) == (False, False)
        desk.withhold(2)
        armed = desk.signal()
        order, other = await_order(owner, armed), await_order(stranger, armed)
        assert (order["state"], order["volume"]) == ("filled", 5)  # a tenth of a percent at risk
        assert (other["state"], other["volume"] > 20) == ("filled", True)  # half a percent
