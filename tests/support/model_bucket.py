"""A real S3 endpoint with a models bucket, for tests of the rooms that read or write models."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iac.local import testing

BUCKET = "sinyal-test-models"


@contextmanager
def run_s3(directory: Path) -> Iterator[str]:
    """Start the AWS stand-in; its endpoint."""
    server = testing.start_ministack(directory)
    try:
        yield server.endpoint
    finally:
        server.stop()


@contextmanager
def use_bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Point the rooms at an endpoint with an empty bucket; the value is the S3 client."""
    from kit.aws import client

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("MODELS_BUCKET", BUCKET)
    client.cache_clear()
    s3 = client("s3")
    s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-3"}
    )
    try:
        yield s3
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for item in page.get("Contents", []):
                s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        s3.delete_bucket(Bucket=BUCKET)
    finally:
        client.cache_clear()
