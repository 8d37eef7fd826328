"""boto3 clients for the stack's own AWS endpoint: dummy keys, short timeouts, bounded retries."""

from typing import Any

REGION = "ap-southeast-3"
ACCOUNT_ID = "000000000000"
# MiniStack takes the access key for the account; neither key opens anything.
DUMMY_KEYS = {"AWS_ACCESS_KEY_ID": ACCOUNT_ID, "AWS_SECRET_ACCESS_KEY": "local"}
CONNECT_SECONDS = 5
READ_SECONDS = 120


def make_client(service: str, endpoint: str) -> Any:
    """Return a boto3 client of `service` at `endpoint`, whatever the user's own AWS settings."""
    import boto3
    import botocore.config

    session = boto3.session.Session(
        aws_access_key_id=DUMMY_KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=DUMMY_KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    config = botocore.config.Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"max_attempts": 3, "mode": "standard"},
        proxies={},
        s3={"addressing_style": "path"},
    )
    return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]


def function_env(endpoint: str) -> dict[str, str]:
    """Return the AWS part of a function's environment, for code that runs outside of Lambda."""
    return {
        **DUMMY_KEYS,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
    }
