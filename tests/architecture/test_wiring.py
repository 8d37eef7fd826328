"""What the bus and the clock send a room is what its consumer takes: nothing unheard, nothing idle.

Queues, alarms and routes are looked at in tests/iac/test_template.py and test_routes.py.
"""

import importlib
import json

import pytest

from contracts.api_gateway import RequestsServed
from contracts.data_bridge import BarClosed, TickBatch
from contracts.database_service import Migrate
from contracts.registry import MESSAGES, SECRET_CARRIERS
from tests.architecture.tree import ROOMS, consumer_rooms, queue_of, resources, room_folder

WITHOUT_A_RULE = {
    "api_gateway": {RequestsServed.__name__},  # every door fills this queue itself
    "data_bridge": {TickBatch.__name__},  # the edge fills this queue itself
    "database_service": {Migrate.__name__},  # sent by a deployment
}
FROM_EVERY_SOURCE = {"performance_analytics"}


def test_every_door_of_a_room_is_a_function() -> None:
    doors = {
        f"functions.{room}.{door}.handler"
        for room in ROOMS
        for door in ("api", "consumer", "authorizer")
        if (room_folder(room) / f"{door}.py").exists() or (room_folder(room) / door).is_dir()
    }
    functions = resources(kind="AWS::Serverless::Function").values()
    assert {function["Properties"]["Handler"] for function in functions} == doors


def sent_to(room: str) -> set[str]:
    """Detail-types and commands that reach the room's queue."""
    ending = f"${{Queues}}:sinyal-${{Stage}}-{queue_of(room)}"
    sent: set[str] = set()
    for rule in resources("iac/rules.yaml", "AWS::Events::Rule").values():
        if any(target["Arn"]["Sub"] == ending for target in rule["Properties"]["Targets"]):
            sent |= set(rule["Properties"]["EventPattern"]["detail-type"])
    for schedule in resources("iac/rules.yaml", "AWS::Scheduler::Schedule").values():
        if schedule["Properties"]["Target"]["Arn"]["Sub"] == ending:
            sent.add(json.loads(schedule["Properties"]["Target"]["Input"])["command"])
    return sent


@pytest.mark.parametrize("room", sorted(set(consumer_rooms()) - FROM_EVERY_SOURCE))
def test_what_is_sent_to_a_room_is_what_its_consumer_takes(room: str) -> None:
    consumer = importlib.import_module(f"functions.{room}.consumer")
    taken = {contract.__name__ for contract in consumer.HANDLERS}
    assert taken == sent_to(room) | WITHOUT_A_RULE.get(room, set())


def test_the_edge_hears_who_may_trade_who_must_stop_and_whose_access_ended() -> None:
    [edge] = [
        rule["Properties"]["EventPattern"]["detail-type"]
        for rule in resources("iac/rules.yaml", "AWS::Events::Rule").values()
        if rule["Properties"]["Targets"][0]["Arn"]["Sub"].endswith("-${Stage}-edge")
    ]
    trading = {
        "SignalIssued", "SignalWithheld", "AccountLinked", "AccountUnlinked",
        "EntitlementsChanged", "QuotaExhausted", "TradingLimitsChanged", "NewsCalendarPublished",
        "EngageKillSwitch", "ReleaseKillSwitch",
    }  # fmt: skip
    access = {"AccessRevoked", "TenantSuspended", "TenantReinstated", "TenantClosed"}
    assert set(edge) == trading | access


def test_analytics_hears_every_source_but_what_is_big_or_secret() -> None:
    rules = resources("iac/rules.yaml", "AWS::Events::Rule")
    pattern = rules["PerformanceAnalyticsRule"]["Properties"]["EventPattern"]
    kept_out = sorted({BarClosed.__name__, *SECRET_CARRIERS})
    assert pattern == {
        "source": [{"prefix": "sinyal."}],
        "detail-type": [{"anything-but": kept_out}],
    }


def test_no_event_that_carries_a_secret_reaches_analytics() -> None:
    """A field that its contract hides from logs (repr=False) is a secret in clear."""
    rules = resources("iac/rules.yaml", "AWS::Events::Rule")
    pattern = rules["PerformanceAnalyticsRule"]["Properties"]["EventPattern"]
    [kept_out] = [kind["anything-but"] for kind in pattern["detail-type"]]
    secret = {
        name
        for name, contract in MESSAGES.items()
        for field in contract.model_fields.values()
        if field.repr is False
    }
    ciphertext = {"AccountLinked"}  # KMS ciphertext: only the edge can open it
    assert secret - ciphertext <= set(kept_out)
