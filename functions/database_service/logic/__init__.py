"""Use cases of database_service: relay, health, export, erasure and retention."""

from functions.database_service.logic.health import check_health
from functions.database_service.logic.relay import relay_outbox

__all__ = ["check_health", "relay_outbox"]
