"""One's own profile and the tenant's trading preferences over HTTP."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from contracts.user_management import ProfileChanged, TradingPreferencesChanged
from functions.user_management import api
from functions.user_management.errors import PreferencesChanged
from functions.user_management.logic.profiles import change_preferences
from functions.user_management.models import PreferencesWish
from functions.user_management.store import ManagementStore
from kit.db import Database
from tests.functions.user_management.conftest import Rooms, as_user
from tests.support.builders import api_event, principal

ME = "/v1/users/me"
PREFERENCES = "/v1/users/me/preferences"
WISH = {
    "symbols": ["XAUUSD", "EURUSD"],
    "risk_appetite": "conservative",
    "sessions": ["london", "new_york"],
    "sizing_mode": "fixed_risk",
}


def test_a_user_reads_and_changes_their_own_profile(rooms: Rooms, tenant: UUID) -> None:
    me = as_user(tenant, rooms.register(tenant, full_name="Siti Rahma").user_id)
    status, before = rooms.call("GET", ME, principal=me)
    assert status == 200
    assert (before["role"], before["time_zone"]) == ("owner", "Asia/Jakarta")
    assert before["email_verified"] is False
    change = {"full_name": " Siti R. ", "time_zone": "Asia/Makassar", "locale": "en"}
    status, after = rooms.call("PATCH", ME, change, principal=me)
    assert status == 200
    assert after == {**before, **change, "full_name": "Siti R."}
    assert rooms.call("GET", ME, principal=me) == (200, after)
    assert rooms.call("PATCH", ME, {}, principal=me) == (200, after)
    (envelope,) = rooms.published.envelopes(ProfileChanged)
    assert envelope.meta.tenant_id == tenant
    assert isinstance(envelope.data, ProfileChanged)
    assert (envelope.data.full_name, envelope.data.locale) == ("Siti R.", "en")
    assert envelope.data.time_zone == "Asia/Makassar"


@pytest.mark.parametrize(
    "change",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "/etc/localtime"},
        {"time_zone": "Asia"},
        {"time_zone": "a\u0000b"},
        {"locale": "fr"},
        {"full_name": ""},
        {"full_name": "nul\u0000"},
        {"role": "admin"},
        {"email": "other@example.com"},
        {"tenant_id": str(uuid7())},
    ],
)
def test_a_profile_change_that_cannot_be_right_is_refused(
    rooms: Rooms, tenant: UUID, change: dict[str, Any]
) -> None:
    me = as_user(tenant, rooms.register(tenant).user_id)
    before = rooms.call("GET", ME, principal=me)
    assert rooms.call("PATCH", ME, change, principal=me)[0] == 422
    assert rooms.call("GET", ME, principal=me) == before
    assert rooms.messages(ProfileChanged) == []


def test_a_repeated_change_with_a_key_gets_the_first_answer(rooms: Rooms, tenant: UUID) -> None:
    me = as_user(tenant, rooms.register(tenant).user_id)
    key = {"Idempotency-Key": "k1"}
    first = rooms.call("PATCH", ME, {"full_name": "A"}, principal=me, headers=key)
    rooms.call("PATCH", ME, {"full_name": "B"}, principal=me)
    assert rooms.call("PATCH", ME, {"full_name": "A"}, principal=me, headers=key) == first
    assert rooms.call("GET", ME, principal=me)[1]["full_name"] == "B"


def test_nobody_sees_or_changes_a_user_of_another_tenant(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    victim = rooms.register(tenant)
    rooms.found(other_tenant)
    thief = principal(other_tenant, user_id=victim.user_id)
    assert rooms.call("GET", ME, principal=thief)[0] == 404
    assert rooms.call("PATCH", ME, {"full_name": "Eve"}, principal=thief)[0] == 404


def test_a_tenant_that_said_nothing_has_preferences_of_version_zero(
    rooms: Rooms, tenant: UUID
) -> None:
    status, shown = rooms.call("GET", PREFERENCES, principal=rooms.found(tenant))
    assert (status, shown["version"], shown["symbols"]) == (200, 0, [])
    assert (shown["risk_appetite"], shown["sizing_mode"]) == ("balanced", "fixed_risk")


def test_preferences_are_replaced_whole_counted_and_announced(rooms: Rooms, tenant: UUID) -> None:
    owner = rooms.found(tenant)
    trader = rooms.join(owner, "trader")
    status, first = rooms.call("PUT", PREFERENCES, WISH, principal=trader)
    assert (status, first["version"], first["symbols"]) == (200, 1, ["EURUSD", "XAUUSD"])
    assert rooms.call("PUT", PREFERENCES, WISH, principal=owner)[1]["version"] == 1
    smaller = {"risk_appetite": "aggressive", "sizing_mode": "kelly"}
    _, second = rooms.call("PUT", PREFERENCES, smaller, principal=owner)
    assert (second["version"], second["symbols"], second["sessions"]) == (2, [], [])
    assert rooms.call("GET", PREFERENCES, principal=trader) == (200, second)
    announced = rooms.messages(TradingPreferencesChanged)
    assert [event.version for event in announced] == [1, 2]
    assert announced[0].symbols == ("EURUSD", "XAUUSD")
    assert rooms.actions(tenant).count("preferences.changed") == 2


def test_preferences_of_an_older_version_do_not_overwrite_a_newer(
    rooms: Rooms, tenant: UUID
) -> None:
    owner = rooms.found(tenant)
    answer = api.handler(api_event("GET", PREFERENCES, principal=owner), None)
    headers = {"If-Match": answer["headers"]["etag"]}
    assert headers == {"If-Match": '"0"'}
    assert rooms.call("PUT", PREFERENCES, WISH, principal=owner, headers=headers)[0] == 200
    other = {**WISH, "sizing_mode": "kelly"}
    status, problem = rooms.call("PUT", PREFERENCES, other, principal=owner, headers=headers)
    assert (status, problem["code"]) == (409, "version_mismatch")
    headers = {"If-Match": '"1"'}
    assert rooms.call("PUT", PREFERENCES, other, principal=owner, headers=headers)[0] == 200


def test_of_eight_writers_of_one_version_one_wins(
    rooms: Rooms, open_room: Callable[[str], Database], tenant: UUID
) -> None:
    owner = UUID(rooms.found(tenant)["user_id"])

    def write(job: tuple[int, Database]) -> bool:
        number, database = job
        wish = PreferencesWish(
            symbols=(f"SYM{number}",), risk_appetite="balanced", sizing_mode="kelly"
        )
        try:
            with database.transaction(tenant) as tx:
                change_preferences(ManagementStore(tx), owner, wish, 0)
        except PreferencesChanged:
            return False
        return True

    jobs = list(enumerate(open_room("user_management") for _ in range(8)))
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, jobs)) == 1
    assert len(rooms.messages(TradingPreferencesChanged)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"symbols": ["E"]},
        {"symbols": ["EUR USD"]},
        {"symbols": [f"SYM{n}" for n in range(51)]},
        {"symbols": "EURUSD"},
        {"sessions": ["mars"]},
        {"risk_appetite": "yolo"},
        {"sizing_mode": None},
        {"version": 3},
        {"tenant_id": str(uuid7())},
    ],
)
def test_preferences_that_cannot_be_right_are_refused(
    rooms: Rooms, tenant: UUID, change: dict[str, Any]
) -> None:
    owner = rooms.found(tenant)
    assert rooms.call("PUT", PREFERENCES, {**WISH, **change}, principal=owner)[0] == 422
    assert rooms.call("GET", PREFERENCES, principal=owner)[1]["version"] == 0


def test_a_viewer_reads_the_preferences_and_does_not_set_them(rooms: Rooms, tenant: UUID) -> None:
    viewer = rooms.join(rooms.found(tenant), "viewer")
    assert rooms.call("GET", PREFERENCES, principal=viewer)[0] == 200
    assert rooms.call("PUT", PREFERENCES, WISH, principal=viewer)[0] == 403


def test_preferences_of_another_tenant_are_not_seen_or_changed(
    rooms: Rooms, tenant: UUID, other_tenant: UUID
) -> None:
    owner, stranger = rooms.found(tenant), rooms.found(other_tenant)
    rooms.call("PUT", PREFERENCES, WISH, principal=owner)
    assert rooms.call("GET", PREFERENCES, principal=stranger)[1]["version"] == 0
    other = {**WISH, "symbols": []}
    assert rooms.call("PUT", PREFERENCES, other, principal=stranger)[1]["version"] == 1
    assert rooms.call("GET", PREFERENCES, principal=owner)[1]["symbols"] == ["EURUSD", "XAUUSD"]


@pytest.mark.parametrize(("method", "path"), [("GET", ME), ("PATCH", ME), ("GET", PREFERENCES)])
def test_without_a_principal_it_is_401(rooms: Rooms, method: str, path: str) -> None:
    assert rooms.call(method, path, {} if method == "PATCH" else None)[0] == 401
