"""Limits and news: the newest of each is kept, for its own tenant only, through restarts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.trading_engine import NewsCalendarPublished, TradingLimitsChanged
from contracts.trading_limits import NewsWindow, TradingLimits
from edge_bridge.engine.limits import DEFAULTS
from tests.edge_bridge.cloud import link_account
from tests.edge_bridge.desk_kit import Edge

FIRST, SECOND = link_account(1).account_id, link_account(2).account_id


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    edge.tick()
    yield edge
    edge.close()


def limits(account: object, version: int, positions: int) -> TradingLimitsChanged:
    values = TradingLimits(positions_max=positions)
    return TradingLimitsChanged(account_id=account, version=version, limits=values)


def of(edge: Edge, number: int) -> int | None:
    account = edge.engine.state.directory.accounts[link_account(number).account_id]
    return edge.engine.state.limits_of(account).positions_max


def test_an_accounts_own_limits_come_before_its_tenants(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    edge.add_tenant(2, tenant_id=tenant)
    account = edge.engine.state.directory.accounts[FIRST]
    assert edge.engine.state.limits_of(account) is DEFAULTS
    edge.give(limits(None, 1, 7), tenant)
    edge.give(limits(FIRST, 1, 3), tenant)
    edge.reopen()
    assert (of(edge, 1), of(edge, 2)) == (3, 7)
    assert set(edge.engine.state.limit_book.describe()) == {f"{tenant}/", f"{tenant}/{FIRST}"}


def test_the_highest_version_wins_in_any_order(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    for version in (2, 1, 2):
        edge.give(limits(None, version, version * 10), tenant)
    edge.reopen()
    edge.give(limits(None, 1, 99), tenant)
    assert of(edge, 1) == 20


def test_nobody_sets_limits_on_somebody_elses_account(edge: Edge) -> None:
    owner, thief = edge.add_tenant(1), edge.add_tenant(2)
    edge.give(limits(FIRST, 5, 1), thief)
    edge.give(limits(FIRST, 5, 1))  # without a tenant
    edge.give(limits(None, 5, 1))
    assert of(edge, 1) is None
    assert edge.engine.state.refused == {"TradingLimitsChanged": 3}
    assert edge.engine.measure()["refused_messages"] == {"TradingLimitsChanged": 3}
    edge.give(limits(FIRST, 1, 4), owner)
    assert of(edge, 1) == 4
    assert edge.journal.read_inbox() == []


def test_limits_that_come_before_the_account_hold_for_its_owner_only(edge: Edge) -> None:
    thief, owner = uuid4(), uuid4()
    edge.give(limits(FIRST, 5, 1), thief)
    edge.give(limits(FIRST, 1, 4), owner)
    edge.add_tenant(1, tenant_id=owner)
    assert of(edge, 1) == 4


def news(version: int, title: str) -> NewsCalendarPublished:
    window = NewsWindow(currency="USD", at=datetime(2026, 1, 1, tzinfo=UTC), title=title)
    return NewsCalendarPublished(version=version, windows=(window,))


def test_the_newest_calendar_of_the_platform_is_kept(edge: Edge) -> None:
    tenant = edge.add_tenant(1)
    edge.give(news(2, "second"))
    edge.give(news(1, "first"))
    edge.give(news(9, "a tenant's"), tenant)
    edge.reopen()
    assert edge.engine.state.market.calendar.news_version == 2
    edge.give(news(2, "again"))
    edge.give(news(9, "a tenant's"), tenant)
    assert edge.engine.state.market.calendar.news_version == 2
    assert edge.engine.state.refused == {"NewsCalendarPublished": 1}
