"""Rotation of the signing keys against a real secret store: no token is lost, none outlives."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from contracts.audit import AuditRecorded
from contracts.user_service import RotateSigningKeys
from functions.user_service import consumer
from functions.user_service.gateway import SigningKeyVault
from functions.user_service.logic.key_rotation import plan_rotation
from functions.user_service.logic.tokens import ACCESS_TOKEN_LIFE, SigningKey, read_signing_keys
from iac.local import testing
from kit.aws import client
from kit.consumer import make_consumer
from kit.db import Database
from kit.settings import forget_secrets
from tests.functions.user_service.conftest import SEED, Member, UserDoors
from tests.support.builders import NOW, FixedClock, raw_record, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

SECRET = "sinyal/test/jwt"


@pytest.fixture(scope="module")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = testing.start_ministack(tmp_path_factory.mktemp("aws"))
    try:
        yield server.endpoint
    finally:
        server.stop()


@pytest.fixture
def vault(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager with the secret of a first deployment; the value is its client."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    client.cache_clear()
    secrets_manager = client("secretsmanager")
    secrets_manager.create_secret(Name=SECRET, SecretString=json.dumps({"seed": SEED}))
    try:
        yield secrets_manager
        secrets_manager.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    finally:
        client.cache_clear()
        forget_secrets()


class Rotation:
    """The room over that secret, a process that re-reads it when told."""

    def __init__(self, users: UserDoors, vault: Any, clock: FixedClock) -> None:
        self.users, self.vault, self.clock = users, vault, clock

    def rotate(self, **fields: Any) -> None:
        assert self.users.deliver(wrap(RotateSigningKeys(**fields))) == []

    def stored(self) -> tuple[SigningKey, ...]:
        return read_signing_keys(self.read())

    def read(self) -> dict[str, Any]:
        answer = self.vault.get_secret_value(SecretId=SECRET)
        secret: dict[str, Any] = json.loads(answer["SecretString"])
        return secret

    def version(self) -> str:
        return str(self.vault.get_secret_value(SecretId=SECRET)["VersionId"])

    def pass_minute(self, minutes: float = 1) -> None:
        """Time passes; the process reads the secret again."""
        self.clock.advance(minutes=minutes)
        forget_secrets()

    def jwks(self) -> list[dict[str, Any]]:
        status, document = self.users.call("GET", "/.well-known/jwks.json")
        assert status == 200
        keys: list[dict[str, Any]] = document["keys"]
        return keys

    def names(self) -> list[str]:
        return [card["kid"] for card in self.jwks()]

    def refresh(self, member: Member) -> None:
        answer = self.users.post("refresh", {"refresh_token": member.refresh_token})
        assert answer[0] == 200
        member.access_token = answer[1]["access_token"]
        member.refresh_token = answer[1]["refresh_token"]


@pytest.fixture
def rotation(
    users: UserDoors, vault: Any, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> Rotation:
    monkeypatch.delenv("SINYAL_SECRET_JWT")
    forget_secrets()
    return Rotation(users, vault, clock)


def name(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def verifies(token: str, keys: list[dict[str, Any]], now: datetime) -> bool:
    """Whether a verifier with these keys lets the token pass."""
    found = [key for key in keys if key["kid"] == name(token)]
    if not found:
        return False
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(
        token,
        jwt.PyJWK(found[0]).key,
        algorithms=["EdDSA"],
        audience="sinyal-api",
        options=options,
    )
    return bool(now.timestamp() < claims["exp"] + 5)


def test_the_first_run_counts_the_seeds_age_and_changes_no_key(rotation: Rotation) -> None:
    before = rotation.names()
    rotation.rotate()
    assert list(rotation.read()) == ["keys"]
    (key,) = rotation.stored()
    assert (key.seed, key.created_at, key.honoured_until) == (SEED, rotation.clock.now(), None)
    rotation.pass_minute()
    assert rotation.names() == before


def test_a_key_is_replaced_at_thirty_days_and_not_before(rotation: Rotation) -> None:
    rotation.rotate()
    made = []
    for _ in range(65):
        rotation.pass_minute(24 * 60)
        rotation.rotate()
        made.append(len(rotation.names()))
    assert [day for day, keys in enumerate(made, start=1) if keys == 2] == [30, 60]
    assert len(rotation.stored()) == 1


def test_a_new_key_is_shown_ten_minutes_before_it_signs(rotation: Rotation) -> None:
    member = rotation.users.sign_in()
    (old,) = rotation.names()
    rotation.rotate(force=True)
    rotation.pass_minute()
    new, known = rotation.names()
    assert known == old
    signed = []
    for _ in range(12):
        rotation.refresh(member)
        signed.append(name(member.access_token))
        rotation.pass_minute()
    assert signed == [old] * 9 + [new] * 3


def test_every_token_verifies_until_it_ends_by_keys_up_to_five_minutes_old(
    rotation: Rotation,
) -> None:
    """A user refreshes each minute through a rotation; the verifier re-reads each fifth."""
    member = rotation.users.sign_in()
    kept = rotation.jwks()
    tokens: list[tuple[datetime, str]] = []
    for minute in range(40):
        if minute == 3:
            rotation.rotate(force=True)
        if minute % 5 == 0:
            kept = rotation.jwks()
        rotation.refresh(member)
        now = rotation.clock.now()
        tokens.append((now, member.access_token))
        for signed_at, token in tokens:
            if now < signed_at + ACCESS_TOKEN_LIFE:
                assert verifies(token, kept, now)
        rotation.pass_minute()
    assert len({name(token) for _, token in tokens}) == 2


def test_the_old_key_is_gone_once_its_tokens_have_ended(rotation: Rotation) -> None:
    old_token = rotation.users.sign_in().access_token
    rotation.rotate(force=True)
    first, second = rotation.stored()
    assert first.honoured_until == second.signs_from + timedelta(minutes=12)
    rotation.pass_minute(21.99)
    assert name(old_token) in rotation.names()
    rotation.pass_minute(0.01)
    assert name(old_token) not in rotation.names()
    rotation.rotate()
    assert rotation.stored() == (second,)


def test_redelivering_a_rotation_changes_nothing(
    rotation: Rotation, published: RecordingPublisher
) -> None:
    record = sqs_event(wrap(RotateSigningKeys(force=True)))
    for _ in range(3):
        assert consumer.handler(record, None) == {"batchItemFailures": []}
    after = rotation.read()
    rotation.pass_minute(60)
    assert consumer.handler(record, None) == {"batchItemFailures": []}
    assert rotation.read() == after
    audits = [a for a in published.messages(AuditRecorded) if a.action == "signing_key.rotated"]
    assert [(a.actor_kind, a.target_id) for a in audits] == [("system", after["keys"][-1]["kid"])]


def test_a_rotation_that_was_written_and_not_noted_is_not_made_again(
    rotation: Rotation, published: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the secret store's answer and the commit."""
    envelope = wrap(RotateSigningKeys(force=True))
    written = SigningKeyVault.write

    def write_and_die(self: SigningKeyVault, value: Any, version: str) -> None:
        written(self, value, version)
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(SigningKeyVault, "write", write_and_die)
        assert len(rotation.users.deliver(envelope)) == 1
    after = rotation.read()
    assert len(after["keys"]) == 2
    assert rotation.version() == str(envelope.meta.event_id)
    rotation.pass_minute(15)
    assert rotation.users.deliver(envelope) == []
    assert rotation.read() == after


@pytest.mark.parametrize("force", [False, True])
def test_rotations_at_once_make_one_key(
    rotation: Rotation, open_room: Callable[[str], Database], force: bool
) -> None:
    """Those that find another at work come back, and find nothing left to do."""
    rotation.rotate()
    rotation.pass_minute(31 * 24 * 60)
    workers = 6
    barrier = Barrier(workers)
    events = [wrap(RotateSigningKeys(force=force)) for _ in range(workers)]

    def work(envelope: Any) -> int:
        database = open_room("user_service")
        handler = make_consumer(consumer.HANDLERS, lambda: database)
        barrier.wait(timeout=10)
        for attempt in range(500):
            if not handler(sqs_event(envelope), None)["batchItemFailures"]:
                return attempt
            time.sleep(0.02)
        raise AssertionError("the rotation never had its turn")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, events))
    assert len(rotation.stored()) == 2
    rotation.pass_minute(5)
    rotation.rotate(force=True)
    assert len(rotation.stored()) == 2


def test_the_clocks_message_rotates_and_its_fields_are_bounded(rotation: Rotation) -> None:
    body = {"command": "RotateSigningKeys", "data": {"force": True}}
    record = raw_record(json.dumps(body))
    for _ in range(2):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert len(rotation.stored()) == 2
    for days in (0, 366):
        body = {"command": "RotateSigningKeys", "data": {"max_age_days": days}}
        answer = consumer.handler({"Records": [raw_record(json.dumps(body))]}, None)
        assert len(answer["batchItemFailures"]) == 1


def test_a_secret_that_cannot_be_read_is_left_alone_and_the_message_comes_back(
    rotation: Rotation,
) -> None:
    rotation.vault.put_secret_value(SecretId=SECRET, SecretString='{"keys": []}')
    assert len(rotation.users.deliver(wrap(RotateSigningKeys(force=True)))) == 1
    assert rotation.read() == {"keys": []}


def test_without_its_secret_store_a_rotation_waits(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelope = wrap(RotateSigningKeys(force=True))
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        client.cache_clear()
        assert len(rotation.users.deliver(envelope)) == 1
    client.cache_clear()
    assert rotation.users.deliver(envelope) == []
    assert len(rotation.stored()) == 2


def test_a_process_reads_the_secret_again_after_a_minute(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1_000.0
    monkeypatch.setattr("kit.settings.time", SimpleNamespace(monotonic=lambda: moment))
    assert len(rotation.names()) == 1
    rotation.rotate(force=True)
    moment += 59
    assert len(rotation.names()) == 1
    moment += 1
    assert len(rotation.names()) == 2


def test_plans_never_leave_a_moment_without_a_key_that_signs() -> None:
    """Any run of daily rotations, forced or not: one key signs and few are kept."""
    keys: tuple[SigningKey, ...] = (SigningKey.of_seed(SEED),)
    now = NOW
    for step in range(200):
        keys = plan_rotation(keys, RotateSigningKeys(force=step % 7 == 0, max_age_days=1), now)
        now += timedelta(minutes=(1, 7, 60, 24 * 60)[step % 4])
        assert len(keys) <= 4
        assert [key.honoured_until for key in keys].count(None) == 1
        signing = [key for key in keys if key.signs_from <= now and key.is_honoured(now)]
        assert signing


def test_the_answers_of_rotation_hold_no_seed(
    rotation: Rotation, published: RecordingPublisher, capsys: pytest.CaptureFixture[str]
) -> None:
    rotation.rotate(force=True)
    rotation.pass_minute()
    assert len(rotation.names()) == 2
    output = capsys.readouterr()
    for key in rotation.stored():
        assert key.seed not in output.out + output.err
        assert all(key.seed not in row.envelope for row in published.rows)
