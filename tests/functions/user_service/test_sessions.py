"""Sessions: who is signed in where, ending it, and what a stolen refresh token brings."""

from collections.abc import Callable

import redis

from contracts.access_keys import ACCESS_MARK_LIFE_S, revoked_session_key
from contracts.audit import AuditRecorded
from contracts.ids import uuid7
from contracts.user_service import AccessRevoked, SecurityAlertRaised, UserSignedIn
from tests.functions.user_service.conftest import LAPTOP, PHONE, UserDoors
from tests.support.builders import FixedClock
from tests.support.publisher import RecordingPublisher


def list_alerts(published: RecordingPublisher) -> list[str]:
    return [alert.kind for alert in published.messages(SecurityAlertRaised)]


def test_a_session_says_device_address_and_when_it_was_seen(
    users: UserDoors, clock: FixedClock
) -> None:
    users.device, users.network = PHONE + "x" * 300, "203.0.113.7"
    phone = users.sign_in()
    clock.advance(minutes=5)
    users.device, users.network = LAPTOP, "2001:db8::1"
    laptop = users.sign_in(phone.email)
    clock.advance(minutes=5)
    users.network = "198.51.100.4"
    assert users.post("refresh", {"refresh_token": phone.refresh_token})[0] == 200
    status, answer = users.call("GET", "/v1/auth/sessions", principal=laptop.principal())
    assert status == 200
    first, second = answer["items"]
    assert first["session_id"] == str(phone.session_id)
    assert (first["address"], first["device"]) == ("198.51.100.4", (PHONE + "x" * 300)[:200])
    assert (first["current"], second["current"]) == (False, True)
    assert (second["address"], second["device"]) == ("2001:db8::1", LAPTOP)
    assert first["created_at"] < second["created_at"] < first["last_seen_at"]


def test_a_list_has_own_sessions_only(users: UserDoors) -> None:
    mine, stranger = users.sign_in(), users.sign_in()
    _, answer = users.call("GET", "/v1/auth/sessions", principal=mine.principal())
    assert [item["session_id"] for item in answer["items"]] == [str(mine.session_id)]
    colleague = {**mine.principal(), "user_id": str(stranger.user_id)}
    assert users.call("GET", "/v1/auth/sessions", principal=colleague)[1] == {"items": []}


def test_ending_a_session_stops_its_refresh_and_marks_it_at_once(
    users: UserDoors, published: RecordingPublisher, throttle_redis: "redis.Redis[str]"
) -> None:
    lost = users.sign_in()
    kept = users.sign_in(lost.email)
    path = f"/v1/auth/sessions/{lost.session_id}"
    assert users.call("DELETE", path, principal=kept.principal()) == (204, None)
    key = revoked_session_key(lost.tenant_id, lost.session_id)
    (revoked,) = published.messages(AccessRevoked)
    assert (revoked.kind, revoked.subject_id) == ("session", lost.session_id)
    assert throttle_redis.get(key) == str(int(revoked.before.timestamp() * 1000))
    assert 0 < throttle_redis.ttl(key) <= ACCESS_MARK_LIFE_S
    assert users.post("refresh", {"refresh_token": lost.refresh_token})[0] == 401
    assert users.post("refresh", {"refresh_token": kept.refresh_token})[0] == 200
    assert users.call("DELETE", path, principal=kept.principal())[0] == 404
    (audit,) = [a for a in published.messages(AuditRecorded) if a.action == "session.ended"]
    assert (audit.actor_kind, audit.actor_id) == ("user", lost.user_id)
    assert audit.address == "127.0.0.1"


def test_another_users_session_is_not_there_whether_colleague_or_stranger(
    users: UserDoors,
) -> None:
    owner, stranger = users.sign_in(), users.sign_in()
    path = f"/v1/auth/sessions/{owner.session_id}"
    colleague = {**owner.principal(), "user_id": str(uuid7())}
    for who in (stranger.principal(), colleague):
        status, problem = users.call("DELETE", path, principal=who)
        assert (status, problem["code"]) == (404, "unknown_session")
    assert users.post("refresh", {"refresh_token": owner.refresh_token})[0] == 200


def test_ending_all_others_keeps_the_present_one(
    users: UserDoors, published: RecordingPublisher
) -> None:
    first = users.sign_in()
    second, third = users.sign_in(first.email), users.sign_in(first.email)
    answer = users.call("DELETE", "/v1/auth/sessions", principal=second.principal())
    assert answer == (200, {"ended": 2})
    assert {m.subject_id for m in published.messages(AccessRevoked)} == {
        first.session_id,
        third.session_id,
    }
    assert users.post("refresh", {"refresh_token": second.refresh_token})[0] == 200
    assert users.post("refresh", {"refresh_token": third.refresh_token})[0] == 401


def test_logging_out_revokes_the_session_and_another_user_cannot(
    users: UserDoors, published: RecordingPublisher
) -> None:
    member = users.sign_in()
    colleague = {**member.principal(), "user_id": str(uuid7())}
    assert users.post("logout", None, principal=colleague) == (204, None)
    assert published.messages(AccessRevoked) == []
    assert users.post("logout", None, principal=member.principal()) == (204, None)
    (revoked,) = published.messages(AccessRevoked)
    assert revoked.subject_id == member.session_id


def test_a_session_ends_even_when_redis_is_away(
    users: UserDoors, published: RecordingPublisher, stop_redis: Callable[[], None]
) -> None:
    member = users.sign_in()
    stop_redis()
    assert users.post("logout", None, principal=member.principal()) == (204, None)
    assert len(published.messages(AccessRevoked)) == 1


def test_one_session_more_than_twenty_ends_the_oldest(users: UserDoors, clock: FixedClock) -> None:
    first = users.sign_in()
    for _ in range(20):
        clock.advance(seconds=1)
        last = users.sign_in(first.email)
    assert users.post("refresh", {"refresh_token": first.refresh_token})[0] == 401
    _, answer = users.call("GET", "/v1/auth/sessions", principal=last.principal())
    assert len(answer["items"]) == 20


def test_a_reused_refresh_token_ends_the_family_and_tells_the_user(
    users: UserDoors, published: RecordingPublisher, throttle_redis: "redis.Redis[str]"
) -> None:
    member = users.sign_in()
    other = users.sign_in(member.email)
    newest = users.post("refresh", {"refresh_token": member.refresh_token})[1]["refresh_token"]
    status, problem = users.post("refresh", {"refresh_token": member.refresh_token})
    assert (status, problem["code"]) == (401, "refresh_token_reused")
    (revoked,) = published.messages(AccessRevoked)
    assert (revoked.kind, revoked.subject_id) == ("session", member.session_id)
    (alert,) = published.messages(SecurityAlertRaised)
    assert (alert.kind, alert.email, alert.locale) == ("refresh_reused", member.email, "id")
    assert (alert.device, alert.address) == (LAPTOP, "127.0.0.1")
    assert throttle_redis.exists(revoked_session_key(member.tenant_id, member.session_id))
    assert users.post("refresh", {"refresh_token": newest})[0] == 401
    assert users.post("refresh", {"refresh_token": other.refresh_token})[0] == 200
    users.post("refresh", {"refresh_token": member.refresh_token})
    assert list_alerts(published) == ["refresh_reused"]


def test_a_new_device_is_told_of_but_not_the_first_and_not_an_update_of_it(
    users: UserDoors, published: RecordingPublisher
) -> None:
    users.device = LAPTOP
    member = users.sign_in()
    users.device = LAPTOP.replace("133.0", "134.0.1")
    users.sign_in(member.email)
    assert list_alerts(published) == []
    users.device = PHONE
    users.sign_in(member.email)
    users.sign_in(member.email)
    (alert,) = published.messages(SecurityAlertRaised)
    assert (alert.kind, alert.device) == ("new_device", PHONE)


def test_signing_in_is_published(users: UserDoors, published: RecordingPublisher) -> None:
    member = users.sign_in()
    (event,) = published.messages(UserSignedIn)
    assert (event.user_id, event.session_id) == (member.user_id, member.session_id)
