"""Settings and secrets come from outside and have no defaults; what is missing is told by name."""

import json

import pytest
from pydantic import ValidationError

from kit.aws import client
from kit.cache import open_redis, tenant_key
from kit.errors import Unavailable
from kit.observability import redact
from kit.settings import RoomSettings, read_secret

VARIABLES = ("STAGE", "POWERTOOLS_SERVICE_NAME", "EVENT_BUS_NAME", "PUBLIC_URL")


def test_a_room_reads_its_environment() -> None:
    assert RoomSettings().stage == "test"  # type: ignore[call-arg]


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_missing_variable_is_told_by_name(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(ValidationError, match=variable.lower()):
        RoomSettings()  # type: ignore[call-arg]


@pytest.mark.parametrize("stage", ["", "Prod", "../prod", "a" * 40])
def test_a_stage_that_could_not_be_part_of_a_name_is_refused(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", stage)
    with pytest.raises(ValidationError):
        RoomSettings()  # type: ignore[call-arg]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        RoomSettings().stage = "prod"  # type: ignore[call-arg, misc]


@pytest.mark.usefixtures("aws")
def test_a_secret_is_read_from_secrets_manager_once() -> None:
    store = client("secretsmanager")
    store.create_secret(Name="sinyal/test/db/x-room", SecretString=json.dumps({"port": 1}))
    assert read_secret("db/x-room") == {"port": 1}
    store.delete_secret(SecretId="sinyal/test/db/x-room", ForceDeleteWithoutRecovery=True)
    assert read_secret("db/x-room") == {"port": 1}


@pytest.mark.usefixtures("aws")
def test_a_secret_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(Unavailable, match="sinyal/test/missing"):
        read_secret("missing")


@pytest.mark.usefixtures("aws")
def test_a_secret_of_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINYAL_SECRET_DB_X_ROOM", '{"port": 2}')
    assert read_secret("db/x-room") == {"port": 2}


def test_secret_values_do_not_reach_the_log() -> None:
    fields = {"api_key": "k", "X-Signature": "s", "nested": {"access_token": "t", "room": "r"}}
    assert redact(fields) == {
        "api_key": "***",
        "X-Signature": "***",
        "nested": {"access_token": "***", "room": "r"},
    }


def test_a_tenants_keys_share_its_slot(redis_url: str) -> None:
    from uuid import UUID

    tenant = UUID(int=7)
    key = tenant_key(tenant, "rate", 60)
    assert key == "{00000000-0000-0000-0000-000000000007}:rate:60"
    redis = open_redis(redis_url)
    redis.set(key, "1", ex=5)
    assert redis.get(key) == "1"
