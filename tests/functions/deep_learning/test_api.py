"""The door of a room that is not built yet says so."""

from contracts.ids import uuid7
from functions.deep_learning.api import handler
from tests.support.builders import api_event, principal, read_answer

PATH = "/v1/deep-learning/health"


def test_readiness_is_told_honestly():
    status, body = read_answer(handler(api_event("GET", PATH, principal=principal(uuid7())), None))
    assert status == 200
    assert body == {"status": "not_built", "ready": False, "models": []}


def test_a_stranger_is_not_answered():
    assert read_answer(handler(api_event("GET", PATH), None))[0] == 401
