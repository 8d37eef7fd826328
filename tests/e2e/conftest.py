"""The whole deployed stack, once for all tests here."""

from collections.abc import Iterator

import pytest

from iac.local.stack import Stack
from iac.local.up import open_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every part running, migrated, template.yaml deployed."""
    with open_stack(tmp_path_factory.mktemp("stack") / "local") as running:
        yield running
