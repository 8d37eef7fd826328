"""The cloud's side of the edge, on a real MiniStack: bus, queues, rules, and rooms that answer.

The decision room stands where ai_orchestration would: it reads BarClosed from its own queue and
puts a decision that follows from the bar alone on the bus.
"""

import json
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import boto3

from contracts.ai_orchestration import SignalIssued, SignalWithheld
from contracts.data_bridge import BarClosed
from contracts.envelope import Envelope, Message
from contracts.ids import derived_id
from contracts.registry import parse_envelope
from contracts.subscription_service import EntitlementsChanged
from contracts.trading_engine import AccountLinked
from edge_bridge.times import SystemClock

REGION = "ap-southeast-3"
STAGE = "test"
BUS = f"sinyal-{STAGE}"
TO_EDGE = ("SignalIssued", "SignalWithheld", "AccountLinked", "AccountUnlinked",
           "EntitlementsChanged", "QuotaExhausted", "EngageKillSwitch", "ReleaseKillSwitch",
           "TradingLimitsChanged", "NewsCalendarPublished")  # fmt: skip
FROM_EDGE = ("BarClosed", "PredictionDelivered", "OrderFilled", "OrderRejected", "OrderDenied",
             "PositionClosed", "AccountConfirmed", "AccountHealthChanged", "KillSwitchChanged",
             "StreamUsageRecorded")  # fmt: skip


def environment(endpoint: str) -> dict[str, str]:
    """What the edge process needs to find this cloud."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "STAGE": STAGE,
        "EVENT_BUS_NAME": BUS,
        "EDGE_QUEUE": f"{BUS}-edge",
        "MARKET_DATA_QUEUE": f"{BUS}-market-data",
        "EAGER_POLL_MS": "2",
    }


@dataclass
class Cloud:
    """Bus and queues for one edge; make one a test."""

    endpoint: str
    queues: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments: dict[str, Any] = {
            "region_name": REGION, "endpoint_url": self.endpoint,
            "aws_access_key_id": "test", "aws_secret_access_key": "test",
        }  # fmt: skip
        self.sqs = boto3.client("sqs", **arguments)
        self.events = boto3.client("events", **arguments)
        self.events.create_event_bus(Name=BUS)
        for name in ("edge", "market-data", "decisions", "observed"):
            self.queues[name] = self.sqs.create_queue(QueueName=f"{BUS}-{name}")["QueueUrl"]
        self._route("edge", TO_EDGE)
        self._route("decisions", ("BarClosed",))
        self._route("observed", FROM_EDGE)

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(self, *_: object) -> None:
        for name, url in self.queues.items():
            self.events.remove_targets(Rule=name, EventBusName=BUS, Ids=[name], Force=True)
            self.sqs.delete_queue(QueueUrl=url)
        self.events.delete_event_bus(Name=BUS)

    def _route(self, queue: str, kinds: tuple[str, ...]) -> None:
        arn = self.sqs.get_queue_attributes(
            QueueUrl=self.queues[queue], AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        self.events.put_rule(
            Name=queue, EventBusName=BUS, EventPattern=json.dumps({"detail-type": list(kinds)})
        )
        self.events.put_targets(Rule=queue, EventBusName=BUS, Targets=[{"Id": queue, "Arn": arn}])

    def publish(self, *envelopes: Envelope) -> None:
        """Put envelopes on the bus."""
        entries = [
            {"EventBusName": BUS, "Source": e.source, "DetailType": e.detail_type,
             "Detail": e.to_json()}
            for e in envelopes
        ]  # fmt: skip
        answer = self.events.put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0

    def send_raw(self, queue: str, body: str) -> None:
        """Put a body as it is into a queue."""
        self.sqs.send_message(QueueUrl=self.queues[queue], MessageBody=body)

    def receive(self, queue: str) -> list[Envelope]:
        """Take what is in a queue now, up to ten, and delete it."""
        url = self.queues[queue]
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        )
        found = []
        for message in messages:
            body = json.loads(message["Body"])
            found.append(parse_envelope(body["detail-type"], body["detail"]))
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def drain(self, queue: str) -> list[Envelope]:
        """Take everything in a queue."""
        found: list[Envelope] = []
        while batch := self.receive(queue):
            found += batch
        return found


def wrap(data: Message, tenant_id: UUID | None = None) -> Envelope:
    """An envelope as of now."""
    return Envelope.wrap(data, tenant_id=tenant_id, now=SystemClock().now())


def link_account(number: int, **overrides: Any) -> AccountLinked:
    """A paper account of 10,000 dollars."""
    values: dict[str, Any] = {
        "account_id": derived_id("test-account", number), "mode": "paper",
        "login": 5_000_000 + number, "server": "Paper", "leverage": 100,
        "initial_balance_cents": 1_000_000, "risk_per_trade_bp": 50, "max_open_positions": 5,
        "max_daily_loss_bp": 1_000, "version": 1, **overrides,
    }  # fmt: skip
    return AccountLinked(**values)


def entitle(**overrides: Any) -> EntitlementsChanged:
    """All symbols, without limits or delay."""
    values: dict[str, Any] = {
        "version": 1, "tier": "enterprise", "symbols": ("*",), "predictions_per_day": None,
        "prediction_delay_s": 0, "live_accounts": 10, **overrides,
    }  # fmt: skip
    return EntitlementsChanged(**values)


def decide(bar: BarClosed, every: int = 7) -> SignalIssued | SignalWithheld:
    """A decision that follows from the bar alone: a signal on every so many minutes."""
    decision_id = derived_id("decision", bar.bar_id)
    minute = bar.bar.open_ns // 60_000_000_000
    if minute % every:
        return SignalWithheld(
            decision_id=decision_id, bar_id=bar.bar_id, symbol=bar.symbol,
            timeframe=bar.timeframe, reason="edge_below_cost", as_of=bar.closed_at,
        )  # fmt: skip
    return SignalIssued(
        signal_id=derived_id("signal", bar.bar_id), decision_id=decision_id, bar_id=bar.bar_id,
        symbol=bar.symbol, digits=bar.digits, timeframe=bar.timeframe,
        direction="buy" if (minute // every) % 2 else "sell", probability=0.6, size_factor=1.0,
        stop_distance=100, target_distance=150, horizon_s=900, as_of=bar.closed_at,
        expires_at=bar.closed_at + timedelta(seconds=120), model_version="test",
    )  # fmt: skip


class DecisionRoom:
    """Answers every bar once, in a thread."""

    def __init__(self, cloud: Cloud, every: int = 7) -> None:
        self._cloud, self._every = cloud, every
        self._stopping = threading.Event()
        self.bars: dict[UUID, BarClosed] = {}
        self.events: dict[UUID, set[UUID]] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "DecisionRoom":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for envelope in self._cloud.receive("decisions"):
                assert isinstance(envelope.data, BarClosed)
                bar = envelope.data
                self.events.setdefault(bar.bar_id, set()).add(envelope.meta.event_id)
                if bar.bar_id not in self.bars:
                    self.bars[bar.bar_id] = bar
                    self._cloud.publish(wrap(decide(bar, self._every)))
            self._stopping.wait(0.002)
