"""One logger a process, with correlation ids and without secrets."""

import logging
import os
import sys
from functools import lru_cache
from typing import Any

_SECRET_WORDS = ("password", "token", "secret", "authorization", "api_key", "signature")


def redact(values: dict[str, Any]) -> dict[str, Any]:
    """Replace values whose names say that they are secret."""
    return {
        key: "***"
        if any(word in key.lower() for word in _SECRET_WORDS)
        else (redact(value) if isinstance(value, dict) else value)
        for key, value in values.items()
    }


@lru_cache(maxsize=1)
def get_logger() -> Any:
    """The process's structured logger (Powertools: JSON lines that reach CloudWatch)."""
    from aws_lambda_powertools import Logger

    return Logger(
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", "sinyal"),
        level=os.environ.get("LOG_LEVEL", "INFO"),
        logger_handler=logging.StreamHandler(sys.stdout),
        log_uncaught_exceptions=False,
    )


def log(message: str, **fields: Any) -> None:
    """Write an info line with redacted fields."""
    get_logger().info(message, extra=redact(fields))


def warn(message: str, **fields: Any) -> None:
    """Write a warning line with redacted fields."""
    get_logger().warning(message, extra=redact(fields))
