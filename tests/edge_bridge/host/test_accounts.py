"""Workers follow the directory: a newer link, an end, another tenant's message."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from contracts.ids import derived_id
from edge_bridge.adapters.renaming import RenamingTerminal
from edge_bridge.engine.directory import Account
from edge_bridge.host.accounts import AccountDesk
from edge_bridge.host.secrets import open_passwords
from edge_bridge.host.sources import FEED_ROOM, FROM_CONFIGURATION
from edge_bridge.ports import Terminal
from edge_bridge.workers.remote import RemoteTerminal
from edge_bridge.workers.supervisor import Supervisor
from tests.edge_bridge.cloud import link_account

OWNER, STRANGER = derived_id("tenant", 1), derived_id("tenant", 2)
ACCOUNT = derived_id("test-account", 1)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    running = Supervisor(lambda *_: None, lambda *_: "")
    running.start()
    yield running
    running.stop(5.0)


def make_desk(supervisor: Supervisor, folder: Path, owner: UUID | None = OWNER) -> AccountDesk:
    return AccountDesk(supervisor, folder, folder, (("EURUSD", 5),), lambda _: owner)


def account(version: int, *, active: bool = True, **changes: object) -> Account:
    linked = link_account(1, version=version, **changes)
    return Account(
        account_id=ACCOUNT, tenant_id=OWNER, version=version, active=active, linked=linked
    )


def test_a_newer_link_replaces_the_engines_terminal(supervisor: Supervisor, tmp_path: Path) -> None:
    desk = make_desk(supervisor, tmp_path)
    assert isinstance(desk.open(link_account(1)), RemoteTerminal)
    given: list[tuple[UUID, Terminal]] = []
    newer = account(2, symbol_suffix=".m")
    for _ in range(2):
        desk.follow([newer], lambda _: False, lambda key, terminal: given.append((key, terminal)))
    [(key, terminal)] = given
    assert key == ACCOUNT and isinstance(terminal, RenamingTerminal)


def test_an_ended_account_keeps_its_worker_while_it_holds_something(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    desk = make_desk(supervisor, tmp_path)
    desk.open(link_account(1))
    ended = account(2, active=False)
    desk.follow([ended], lambda _: True, lambda *_: None)
    assert desk._versions
    desk.follow([ended], lambda _: False, lambda *_: None)
    assert not desk._versions


def test_an_account_of_another_tenant_gets_no_terminal(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    assert make_desk(supervisor, tmp_path).open(link_account(1)) is not None
    assert make_desk(supervisor, tmp_path, STRANGER).open(link_account(1)) is None
    assert make_desk(supervisor, tmp_path, None).open(link_account(2)) is None


def test_no_tenants_message_can_name_the_markets_own_password() -> None:
    opened = open_passwords(lambda tenant, account, text: f"kms {text}", SecretStr("own"))
    assert opened(FEED_ROOM, ACCOUNT, FROM_CONFIGURATION) == "own"
    assert opened(OWNER, ACCOUNT, FROM_CONFIGURATION) == f"kms {FROM_CONFIGURATION}"
