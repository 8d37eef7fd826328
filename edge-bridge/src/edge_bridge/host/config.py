"""The live edge's configuration: one TOML file, every value of which the environment may override.

`SINYAL_EDGE__STREAM__PORT=8443` overrides `port` in `[stream]`. Secrets stand in the environment or
in AWS, never in the file. AWS endpoint, region and credentials are boto3's own variables.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from edge_bridge.errors import ConfigurationUnusable

Name = Annotated[str, Field(min_length=1, max_length=256)]
Symbol = Annotated[str, Field(pattern="^[A-Z0-9.]{3,29}$")]


class Section(BaseModel):
    """A table of the file; a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cloud(Section):
    """The cloud's side, by name."""

    event_bus: Name
    edge_queue: Name
    market_queue: Name
    eager_poll_ms: int = Field(default=0, ge=0, le=1_000)


class Market(Section):
    """Where prices come from: a terminal of the platform's own, or a recording for a trial."""

    source: Literal["terminal", "recording"]
    symbols: tuple[Symbol, ...] = Field(min_length=1, max_length=200)
    digits: dict[str, int] = Field(default_factory=dict)
    """Of symbols whose digits the terminal is not asked for (recordings know their own)."""
    login: int = Field(default=0, ge=0)
    server: str = ""
    password: SecretStr = SecretStr("")
    symbol_suffix: str = Field(default="", max_length=12)
    names: dict[str, str] = Field(default_factory=dict)
    """Our name -> the broker's, where no suffix explains it."""
    zone: str = "America/New_York"
    ahead_hours: int = Field(default=7, ge=-24, le=24)
    poll_ms: int = Field(default=5, ge=1, le=1_000)
    recording: Path | None = None
    speed: float = Field(default=1.0, gt=0, le=100_000)
    """Of a recording: how many seconds of it pass in one."""

    @model_validator(mode="after")
    def _source_is_complete(self) -> "Market":
        if self.source == "recording" and self.recording is None:
            raise ValueError("say which `recording` to play")
        if self.source == "terminal" and not (self.login and self.server):
            raise ValueError("say `login` and `server` of the market's terminal")
        if self.source == "terminal" and not self.password.get_secret_value():
            raise ValueError("set SINYAL_EDGE__MARKET__PASSWORD")
        return self


class Workers(Section):
    """One process an account."""

    terminals: Path | None = None
    """Folder with a portable terminal a live account: <login>/terminal64.exe."""
    heartbeat_max_s: float = Field(default=10.0, gt=0, le=300)
    start_max_s: float = Field(default=120.0, gt=0, le=600)
    accounts_max: int = Field(default=300, ge=1, le=2_000)


class Stream(Section):
    """The WebSocket server; `wss` when certificate and key are given."""

    host: str = "0.0.0.0"  # noqa: S104  # nosec B104 - clients come from outside
    port: int = Field(default=8001, ge=0, le=65_535)
    jwks_url: str = Field(min_length=8)
    jwks_host: str | None = None
    """The Host to ask for, where the address is not the API's name."""
    issuer: str = Field(min_length=1)
    certificate: Path | None = None
    key: Path | None = None
    connections_max: int = Field(default=5_000, ge=1, le=100_000)


class Storage(Section):
    """The outbox on disk."""

    rows_max: int = Field(default=200_000, ge=100)
    bytes_max: int = Field(default=2_000_000_000, ge=1_000_000)


class Logs(Section):
    """Rotated by size."""

    folder: Path | None = None
    """Beside the state when not given."""
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    bytes_max: int = Field(default=20_000_000, ge=10_000)
    files: int = Field(default=20, ge=1, le=1_000)


class ClockCheck(Section):
    """How far the machine's clock may be from the truth."""

    servers: tuple[str, ...] = ("169.254.169.123",)
    """SNTP; AWS' own by default. None: not checked."""
    every_s: float = Field(default=60.0, gt=0)
    warn_ms: float = Field(default=100.0, gt=0)
    hold_ms: float = Field(default=2_000.0, gt=0)
    """Beyond it no entry is made: ages and expiries would be wrong."""


class Promises(Section):
    """The speeds promised to tenants; a window whose p99 is above is told."""

    tick_age_ms: float = Field(default=1_000.0, gt=0)
    decision_to_order_us: float = Field(default=1_200.0, gt=0)
    order_round_trip_us: float = Field(default=500_000.0, gt=0)


class HostConfig(BaseSettings):
    """Everything the live edge needs to know before it starts."""

    model_config = SettingsConfigDict(
        env_prefix="SINYAL_EDGE__", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    name: str = Field(pattern="^[a-z][a-z0-9-]{0,39}$")
    stage: str = Field(pattern="^[a-z][a-z0-9-]{1,20}$")
    state: Path
    cloud: Cloud
    market: Market
    stream: Stream
    workers: Workers = Workers()
    storage: Storage = Storage()
    logs: Logs = Logs()
    clock: ClockCheck = ClockCheck()
    promises: Promises = Promises()
    unknown_grace_s: float = Field(default=5.0, ge=0, le=600)
    answer_wait_s: float = Field(default=10.0, gt=0, le=120)
    reconcile_every_s: float = Field(default=30.0, gt=0, le=3_600)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - called by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - called by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - called by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, which comes as init arguments."""
        return env_settings, init_settings


def read_config(path: Path) -> HostConfig:
    """Read the file, let the environment override it, check all. Raises ConfigurationUnusable."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationUnusable(f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # not UTF-8, not TOML
        raise ConfigurationUnusable(f"{path} is not TOML: {error}") from error
    try:
        return HostConfig(**values)
    except ValidationError as error:
        raise ConfigurationUnusable(f"{path}: {_tell(error.errors())}") from error


def _tell(errors: Sequence[Any]) -> str:
    """Every mistake by its place; never the value, which may be a secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'file'}: {each['msg']}" for each in errors
    )
