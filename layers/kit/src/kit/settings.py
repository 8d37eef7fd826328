"""Settings from the environment, secrets from Secrets Manager; neither has a default in code.

A secret ``sinyal/prod/db/billing_service`` may also come from the environment variable
``SINYAL_SECRET_DB_BILLING_SERVICE`` (JSON), for tests and for running a room alone.
"""

import json
import os
import time
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit.errors import Unavailable


class RoomSettings(BaseSettings):
    """What every room's door knows; rooms subclass it for more. Checked at cold start."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    stage: str = Field(pattern="^[a-z][a-z0-9-]{1,20}$")
    powertools_service_name: str
    event_bus_name: str
    public_url: str


SECRETS_MAX = 64
_READ: dict[str, tuple[float, dict[str, Any]]] = {}


def read_secret(name: str, max_age_s: float | None = None) -> dict[str, Any]:
    """Read the secret ``sinyal/<stage>/<name>``, once a process or when older than ``max_age_s``.

    Raises Unavailable when neither the environment nor Secrets Manager has it, and none was read
    before.
    """
    known = _READ.get(name)
    now = time.monotonic()
    if known is not None and (max_age_s is None or now - known[0] < max_age_s):
        return known[1]
    try:
        value = _fetch_secret(name)
    except Unavailable:
        if known is None:
            raise
        value = known[1]
    if len(_READ) >= SECRETS_MAX:
        _READ.clear()
    _READ[name] = (now, value)
    return value


def forget_secrets() -> None:
    """Read every secret anew from here on."""
    _READ.clear()


def _fetch_secret(name: str) -> dict[str, Any]:
    variable = "SINYAL_SECRET_" + name.upper().replace("/", "_").replace("-", "_")
    if variable in os.environ:
        return dict(json.loads(os.environ[variable]))
    import botocore.exceptions

    from kit.aws import client

    stage = os.environ["STAGE"]
    try:
        answer = client("secretsmanager").get_secret_value(SecretId=f"sinyal/{stage}/{name}")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise Unavailable(f"secret sinyal/{stage}/{name} cannot be read: {error}") from error
    return dict(json.loads(answer["SecretString"]))
