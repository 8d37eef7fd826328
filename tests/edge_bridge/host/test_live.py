"""The live edge in one piece: prices, workers, orders, stream, kill switch, deaths, a restart."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.data_bridge import StreamUsageRecorded
from contracts.ids import uuid7
from contracts.trading_engine import (
    AccountConfirmed,
    AccountHealthChanged,
    EngageKillSwitch,
    KillSwitchChanged,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    ReleaseKillSwitch,
)
from edge_bridge.times import SystemClock
from iac.local.testing import AwsServer, start_ministack
from tests.edge_bridge.cloud import Cloud, DecisionRoom, entitle, link_account, wrap
from tests.edge_bridge.host.live_kit import LiveProcess, list_workers, serve_keys
from tests.edge_bridge.stream.stream_kit import Person

EVERY = 1


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = start_ministack(tmp_path_factory.mktemp("ministack"))
    yield server
    server.stop()


@pytest.fixture
def live(ministack: AwsServer, tmp_path: Path) -> Iterator[LiveProcess]:
    with Cloud(ministack.endpoint) as cloud, serve_keys() as issuer, DecisionRoom(cloud, EVERY):
        process = LiveProcess(cloud, tmp_path, issuer)
        yield process
        if process.process.poll() is None:
            process.process.kill()


def link(live: LiveProcess, count: int) -> list[UUID]:
    """Tenants with one paper account each."""
    tenants = [uuid7() for _ in range(count)]
    for number, tenant in enumerate(tenants):
        live.cloud.publish(wrap(entitle(), tenant), wrap(link_account(number), tenant))
    return tenants


def outcomes(live: LiveProcess) -> list[Any]:
    return [
        each for kind in (OrderFilled, OrderRejected, OrderDenied) for each in live.observe(kind)
    ]


@pytest.mark.timeout(180)
def test_a_host_trades_streams_stops_and_goes_on(live: LiveProcess) -> None:
    live.start()
    first, second = link(live, 2)
    live.wait_for(lambda: len(live.observe(AccountConfirmed)) == 2, "both accounts")
    live.wait_for(lambda: live.ask("/health")[0] == 200, "health")
    owner, stranger = Person(tenant_id=first), Person(tenant_id=second)

    with (
        live.enter(owner, "ticks", "orders", "account") as mine,
        live.enter(stranger, "orders", "positions", "account") as other,
    ):
        fill = live.wait_for(
            lambda: next((e for e in live.observe(OrderFilled) if e.meta.tenant_id == first), None),
            "a fill",
        )
        order_id = str(fill.data.order_id)
        told = live.wait_for(lambda: mine.find("orders", order_id), "the fill on the stream")
        assert told["event"] == "OrderFilled"
        assert '"ticks"' in mine.text()
        live.wait_for(lambda: other.find("account", str(link_account(1).account_id)), "their own")
        assert str(link_account(0).account_id) not in other.text()

    stop_and_release(live, first)
    survive_a_dead_worker(live)

    status, metrics = live.ask("/metrics")
    assert status == 200 and "sinyal_edge_ticks_accepted_total" in metrics
    for promise in ("decision_to_order", "order_round_trip"):
        assert f'sinyal_edge_{promise}_seconds_count{{tenant="{second}"}}' in metrics
    assert live.end() == 0, live.read_log()[-2_000:]
    before = len(live.observe(OrderFilled))
    live.start()
    live.wait_for(lambda: len(live.observe(OrderFilled)) > before, "a fill after the restart")
    assert live.end() == 0, live.read_log()[-2_000:]
    judge(live)


def stop_and_release(live: LiveProcess, tenant: UUID) -> None:
    """Engaged, every entry is denied for it; released, orders are filled again."""
    engage = EngageKillSwitch(command_id=uuid7(), version=1, reason="test")
    live.cloud.publish(wrap(engage, tenant))
    live.wait_for(lambda: live.observe(KillSwitchChanged), "the switch")
    live.wait_for(
        lambda: any(e.data.reason == "kill_switch" and e.meta.tenant_id == tenant
                    for e in live.observe(OrderDenied)),
        "a denial",
    )  # fmt: skip
    release = ReleaseKillSwitch(
        command_id=uuid7(), version=2, expires_at=SystemClock().now() + timedelta(minutes=1)
    )
    live.cloud.publish(wrap(release, tenant))
    live.wait_for(
        lambda: any(not each.data.engaged for each in live.observe(KillSwitchChanged)),
        "the release",
    )


def survive_a_dead_worker(live: LiveProcess) -> None:
    """A killed worker comes back, and the reason is told to its own tenant."""
    os.kill(list_workers(live.process)[0], signal.SIGKILL)

    def came_back() -> bool:
        told = live.observe(AccountHealthChanged)
        gone = [n for n, each in enumerate(told) if each.data.health == "backing_off"]
        return bool(gone) and any(each.data.health == "connected" for each in told[gone[0] :])

    live.wait_for(came_back, "the worker")


def judge(live: LiveProcess) -> None:
    """No signal has two outcomes on an account; what closed was open; usage is told once."""
    seen = Counter((each.data.signal_id, each.data.account_id) for each in outcomes(live))
    assert set(seen.values()) == {1}
    filled = {each.data.order_id for each in live.observe(OrderFilled)}
    assert {each.data.order_id for each in live.observe(PositionClosed)} <= filled
    usage = live.observe(StreamUsageRecorded)
    assert usage and len({each.meta.event_id for each in usage}) == len(usage)
    assert sum(each.data.ticks for each in usage) > 0
