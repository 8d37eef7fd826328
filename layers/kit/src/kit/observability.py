"""One logger a process, with correlation ids and without secrets or personal data.

Fields are redacted by name; whatever still looks like a secret or an address in the finished line
is struck out, wherever it came from: a vendor's message, a database's error, a traceback.
"""

import logging
import os
import re
import sys
from functools import lru_cache
from typing import Any

from kit.context import current

_SECRET_WORDS = ("password", "token", "secret", "authorization", "api_key", "signature", "totp")
_PERSONAL_NAMES = frozenset(
    {"email", "new_email", "full_name", "tenant_name", "inviter_name", "phone", "address", "device"}
)
# A line is JSON: what stands before a secret may be the end of an escape, such as a line break's n.
_START = r"(?:\b|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2}))"
_STRUCK_OUT = re.compile(
    r"(\\(?:u[0-9a-fA-F]{4}|.))"  # an escape: it stays whole
    r"|[\w.+%-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"  # e-mail addresses
    rf"|{_START}eyJ[\w-]{{10,}}\.[\w-]{{10,}}\.[\w-]*"  # JSON web tokens
    rf"|{_START}(?:srt|sk|sml|evt|inv|prt|ect)_[\w-]{{20,}}"  # tokens and keys of our own
    rf"|{_START}(?:Bearer|Basic)(?:\s|%20|\+)+[\w.~+/=-]{{8,}}"
    r"|\$argon2id?\$[^\s\"'\\]+",
    re.ASCII,
)


def redact(values: dict[str, Any]) -> dict[str, Any]:
    """Replace values whose names say that they are secret or personal, at any depth."""
    return {
        key: "***"
        if key.lower() in _PERSONAL_NAMES or any(word in key.lower() for word in _SECRET_WORDS)
        else _redact_within(value)
        for key, value in values.items()
    }


def _redact_within(value: Any) -> Any:
    if isinstance(value, dict):
        return redact(value)
    return [_redact_within(item) for item in value] if isinstance(value, list | tuple) else value


def strike_out(line: str) -> str:
    """Strike out what looks like a secret or an e-mail address."""
    return _STRUCK_OUT.sub(lambda found: found[1] or "***", line)


class _CarefulStream:
    """Writes lines to the standard output of the moment, struck out."""

    def write(self, text: str) -> int:
        return sys.stdout.write(strike_out(text))

    def flush(self) -> None:
        sys.stdout.flush()


@lru_cache(maxsize=1)
def get_logger() -> Any:
    """The process's structured logger (Powertools: JSON lines that reach CloudWatch)."""
    from aws_lambda_powertools import Logger

    return Logger(
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", "sinyal"),
        level=os.environ.get("LOG_LEVEL", "INFO"),
        logger_handler=logging.StreamHandler(_CarefulStream()),
        log_uncaught_exceptions=False,
    )


def _linked(fields: dict[str, Any]) -> dict[str, Any]:
    context = current()
    if context is None:
        return fields
    return {"correlation_id": str(context.correlation_id), **fields}


def log(message: str, **fields: Any) -> None:
    """Write an info line with redacted fields and the correlation id of what is handled."""
    get_logger().info(message, extra=_linked(redact(fields)))


def warn(message: str, **fields: Any) -> None:
    """Write a warning line with redacted fields and the correlation id of what is handled."""
    get_logger().warning(message, extra=_linked(redact(fields)))
