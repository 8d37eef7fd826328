"""The door of a room that is not built yet says so."""

from functions.deep_learning.api import handler
from tests.support.builders import api_event, read_answer


def test_readiness_is_told_honestly():
    status, body = read_answer(handler(api_event("GET", "/v1/deep-learning/health"), None))
    assert status == 200
    assert body["status"] == "not_built"
    assert body["ready"] is False
