"""AWS clients with timeouts, made once a process and only when first used."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=16)
def client(service: str) -> Any:
    """A boto3 client: 2 s to connect, 5 s to read, three tries in all."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 3, "mode": "standard"},
        tcp_keepalive=True,
        parameter_validation=False,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]
