"""One running stream a test file, and a tick that all may ask for."""

from collections.abc import Iterator

import pytest

from tests.edge_bridge.stream.stream_kit import Stream, run_stream


@pytest.fixture(scope="module")
def stream() -> Iterator[Stream]:
    with run_stream() as running:
        running.tick(1)
        yield running
