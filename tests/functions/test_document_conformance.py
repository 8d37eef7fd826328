"""The product's doors keep the promises of its OpenAPI document, in process and in short.

``tests/e2e/test_schemathesis.py`` asks the same of the deployed stack, at length.
"""

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from schemathesis.core.failures import FailureGroup

from functions.database_service.migrate import ROOMS
from kit.cache import open_redis
from tests.conftest import Stores
from tests.support.broker_key import run_kms, use_broker_key
from tests.support.callers import Callers
from tests.support.fuzzing import Examination, list_operations
from tests.support.house import HOST, House, open_house
from tests.support.things import KNOWN_QUERIES, make_staff, make_things

EXAMPLES = 3


@pytest.fixture(scope="module")
def examination(
    stores: Stores,
    redis_url: str,
    clickhouse: dict[str, Any],
    sandbox_endpoints: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Examination]:
    databases = {room: stores.secret(room) for room in ROOMS}
    with (
        run_kms(tmp_path_factory.mktemp("aws")) as endpoint,
        pytest.MonkeyPatch.context() as patch,
        use_broker_key(endpoint, patch),
        open_house(databases, redis_url, clickhouse, sandbox_endpoints) as house,
    ):
        yield prepare(house)


def prepare(house: House) -> Examination:
    def forget_counts(tenant_id: str) -> None:
        open_redis().delete(f"{{{tenant_id}}}:gate")

    callers = Callers(house, make_staff(house, support=False), time.monotonic, forget_counts)
    things = make_things(house, callers.owner) | callers.name_own()
    host = house.url.removeprefix("http://")
    address = house.url.replace(HOST, "127.0.0.1")
    return Examination(address, host, callers.token_for, things, KNOWN_QUERIES)


@pytest.mark.parametrize(("method", "path"), list(list_operations()))
def test_a_door_answers_as_the_document_says(
    examination: Examination, method: str, path: str
) -> None:
    examination.examine(method, path, EXAMPLES)


def _forget_status(answers: dict[str, Any]) -> None:
    del answers["200"]


def _demand_a_number(answers: dict[str, Any]) -> None:
    answers["200"]["content"]["application/json"]["schema"] = {"type": "number"}


def _promise_text(answers: dict[str, Any]) -> None:
    answers["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}


def _promise_a_header(answers: dict[str, Any]) -> None:
    answers["200"]["headers"] = {"X-Absent": {"required": True, "schema": {"type": "string"}}}


@pytest.mark.parametrize(
    "lie", [_forget_status, _demand_a_number, _promise_text, _promise_a_header]
)
def test_a_lie_in_the_document_is_found(
    examination: Examination, lie: Callable[[dict[str, Any]], None]
) -> None:
    """Or the silence of the tests above would mean nothing."""
    document = copy.deepcopy(examination.document)
    lie(document["paths"]["/v1/plans"]["get"]["responses"])
    misled = dataclasses.replace(examination, document=document, answered={})
    with pytest.raises(FailureGroup):
        misled.examine("GET", "/v1/plans", 1)
