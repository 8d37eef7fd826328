"""The stream's bounds and where it listens, read from `STREAM_...` and checked at the start."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class StreamSettings(BaseSettings):
    """All limits of the stream. Without the two TLS files it speaks plain `ws`, for a proxy."""

    model_config = SettingsConfigDict(env_prefix="STREAM_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8001, ge=0, le=65_535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    metrics_token: SecretStr | None = None
    """Bearer token of /metrics; without one only this machine may read it."""

    connections_max: int = Field(default=2_000, ge=1, le=50_000)
    strangers_max: int = Field(default=1_000, ge=1, le=10_000)
    """Connections that have not shown a token yet."""
    auth_deadline_s: float = Field(default=5.0, gt=0, le=60)
    ping_interval_s: float = Field(default=20.0, gt=0, le=300)
    ping_timeout_s: float = Field(default=20.0, gt=0, le=300)
    message_bytes_max: int = Field(default=8_192, ge=1_024, le=65_536)
    messages_per_second: float = Field(default=20.0, gt=0, le=1_000)
    messages_burst: int = Field(default=200, ge=1, le=10_000)
    subscriptions_max: int = Field(default=500, ge=1, le=10_000)
    """Of one connection."""

    write_buffer_bytes: int = Field(default=32_768, ge=1_024, le=1_048_576)
    """What waits for one client in this process; past it the client is behind."""
    socket_buffer_bytes: int = Field(default=65_536, ge=2_048, le=4_194_304)
    backlog_max: int = Field(default=64, ge=1, le=1_000)
    """Ticks or bars of one stream that a client behind still gets one by one."""
    private_backlog_max: int = Field(default=256, ge=1, le=1_000)
    """Changes of a private stream that a client may be behind before it is cut."""
    stall_timeout_s: float = Field(default=10.0, gt=0, le=300)
    """How long a client may take nothing at all."""
    housekeeping_s: float = Field(default=0.5, gt=0, le=10)
    close_timeout_s: float = Field(default=2.0, gt=0, le=30)

    @model_validator(mode="after")
    def _both_tls_files(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give both tls_certificate and tls_key, or neither")
        return self
