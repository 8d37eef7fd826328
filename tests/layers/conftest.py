"""A real AWS stand-in for the tests of what kit says to queues, the bus and the secret store."""

from collections.abc import Iterator

import pytest

from iac.local import testing
from kit.aws import client
from kit.settings import forget_secrets


@pytest.fixture(scope="session")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = testing.start_ministack(tmp_path_factory.mktemp("aws"))
    try:
        yield server.endpoint
    finally:
        server.stop()


@pytest.fixture
def aws(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Kit's AWS clients lead to the stand-in."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    client.cache_clear()
    forget_secrets()
    yield aws_endpoint
    client.cache_clear()
    forget_secrets()
