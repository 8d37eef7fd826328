"""A real KMS endpoint with the key that seals brokers' passwords, under its alias."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iac.local.testing import start_ministack
from kit.aws import client

ALIAS = "alias/sinyal-test-broker"


@contextmanager
def run_kms(directory: Path) -> Iterator[str]:
    """Start the AWS stand-in; its endpoint."""
    server = start_ministack(directory)
    try:
        yield server.endpoint
    finally:
        server.stop()


@contextmanager
def use_broker_key(endpoint: str, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Point the rooms at the endpoint; the value is a client of its KMS."""
    patch.setenv("AWS_ENDPOINT_URL", endpoint)
    client.cache_clear()
    kms = client("kms")
    if ALIAS not in {each["AliasName"] for each in kms.list_aliases()["Aliases"]}:
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=ALIAS, TargetKeyId=key_id)
    try:
        yield kms
    finally:
        client.cache_clear()
