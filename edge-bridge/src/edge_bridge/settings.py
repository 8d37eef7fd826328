"""What the edge reads from its environment, checked once at the start."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EdgeSettings(BaseSettings):
    """Names of the cloud's side; AWS endpoint, region and credentials are boto3's own variables.

    `eager_poll_ms` > 0 asks the edge queue again and again while a decision is awaited, for
    endpoints whose long poll answers late; 0 trusts the long poll, as in AWS.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    stage: str = Field(pattern="^[a-z][a-z0-9-]{1,20}$")
    event_bus_name: str = Field(min_length=1, max_length=256)
    edge_queue: str = Field(min_length=1, max_length=80)
    market_data_queue: str = Field(min_length=1, max_length=80)
    eager_poll_ms: int = Field(default=0, ge=0, le=1_000)
    outbox_rows_max: int = Field(default=5_000, ge=10, le=1_000_000)
    decision_wait_s: float = Field(default=20.0, gt=0, le=600)
    drain_wait_s: float = Field(default=60.0, gt=0, le=3_600)
    unknown_grace_s: float = Field(default=3.0, ge=0, le=600)
    order_answer_wait_s: float = Field(default=10.0, gt=0, le=600)
    reconcile_every_s: float = Field(default=30.0, gt=0, le=3_600)
    sla_decision_to_order_us: float = Field(default=1_200.0, gt=0)
    sla_order_round_trip_us: float = Field(default=1_000_000.0, gt=0)
    sla_tick_age_ms: float = Field(default=5_000.0, gt=0)
