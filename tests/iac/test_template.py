"""The template's own rules: what deploys is what the design says, and no more than it needs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.registry import MESSAGES
from contracts.routes import ROUTES
from iac.local.deploy_template import (
    API,
    FUNCTION,
    NESTED_STACK,
    list_resources,
    read_room,
    read_template,
)
from iac.local.rooms import ROOMS
from iac.measure_layers import LAYERS_MAX, list_layers

ROOT = Path(__file__).parents[2]
TEMPLATE = read_template((ROOT / "template.yaml").read_text(encoding="utf-8"))
NESTED = {
    path.name: read_template(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "iac").glob("*.yaml"))
}
ALL = {"template.yaml": TEMPLATE, **NESTED}
INBOX = NESTED["inbox.yaml"]
RULES = NESTED["rules.yaml"]
ACCESS = NESTED["access.yaml"]

# Commands travel on the bus or from the clock without being contracts of the registry.
CLOCK_COMMANDS = {
    "DeliverPending",
    "EraseClosedTenants",
    "LoosenLimits",
    "PruneRecords",
    "RelayOutbox",
    "RequestViews",
    "RotateSigningKeys",
    "RunBilling",
}
# (template, resource): why its statement may name everything.
WILDCARDS = {
    (
        "template.yaml",
        "BrokerKey",
    ): "its policy speaks of the key itself; root hands over to IAM",
    ("access.yaml", "Migrations"): "migrations make the role of every room from its secret",
}
QUEUE_OF_ROOM = {"data_bridge": "market-data"}


def queue_name(room: str) -> str:
    return QUEUE_OF_ROOM.get(room, room.replace("_", "-"))


def inboxes() -> dict[str, dict[str, Any]]:
    """The parameters of every queue, by the queue's name."""
    return {
        properties["Parameters"]["Name"]: properties["Parameters"]
        for _, properties in list_resources(TEMPLATE, NESTED_STACK)
        if properties["TemplateURL"] == "iac/inbox.yaml"
    }


def consumers() -> dict[str, str]:
    """The room of every function whose handler is a consumer's, by logical id."""
    return {
        name: read_room(TEMPLATE, name)
        for name, properties in list_resources(TEMPLATE, FUNCTION)
        if ".consumer." in properties["Handler"]
    }


def routes() -> Iterator[tuple[str, str, str, bool]]:
    """Yield (function, method, path, open) of every route."""
    for name, properties in list_resources(TEMPLATE, FUNCTION):
        for event in properties.get("Events", {}).values():
            route = event["Properties"]
            is_open = route.get("Auth", {}).get("Authorizer") == "NONE"
            yield name, route["Method"], route["Path"], is_open


def find_resources(kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file, template in ALL.items():
        for name, properties in list_resources(template, kind):
            yield file, name, properties


def test_every_queue_is_one_of_inbox_yaml() -> None:
    """So that what holds for inbox.yaml holds for every queue."""
    assert {file for file, _, _ in find_resources("AWS::SQS::Queue")} == {"inbox.yaml"}
    assert {name for name, _ in list_resources(INBOX, "AWS::SQS::Queue")} == {
        "Queue",
        "DeadLetters",
    }


def test_a_queue_gives_up_after_four_tries_and_keeps_the_message() -> None:
    queues = dict(list_resources(INBOX, "AWS::SQS::Queue"))
    assert queues["Queue"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
        "maxReceiveCount": 4,
    }
    assert queues["DeadLetters"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_a_queue_and_its_dead_letters_each_have_an_alarm() -> None:
    watched = {
        (alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0], alarm["MetricName"])
        for _, alarm in list_resources(INBOX, "AWS::CloudWatch::Alarm")
        if alarm["AlarmActions"]
    }
    assert watched == {
        ("DeadLetters", "ApproximateNumberOfMessagesVisible"),
        ("Queue", "ApproximateAgeOfOldestMessage"),
    }


def test_a_consumer_reports_which_messages_of_a_batch_failed() -> None:
    [(_, mapping)] = list_resources(INBOX, "AWS::Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionName"] == {"Ref": "Consumer"}


def test_every_consumer_empties_its_rooms_queue_and_the_edge_its_own() -> None:
    wired = {
        name: parameters.get("Consumer", {}).get("Ref") for name, parameters in inboxes().items()
    }
    expected = {queue_name(room): function for function, room in consumers().items()}
    assert wired == {**expected, "edge": None}


def test_a_consumer_may_read_its_own_queue_only() -> None:
    for function, room in consumers().items():
        policies = TEMPLATE["Resources"][function]["Properties"]["Policies"]
        polled = [policy["SQSPollerPolicy"] for policy in policies if "SQSPollerPolicy" in policy]
        own = {"QueueName": {"Fn::Sub": f"sinyal-${{Stage}}-{queue_name(room)}"}}
        assert polled == [own], function


def test_a_queue_hides_a_message_six_times_as_long_as_its_function_runs_in_aws() -> None:
    for stage in ("staging", "prod"):
        times = TEMPLATE["Mappings"]["Stages"][stage]
        for kind, timeout in (
            ("Short", "Timeout"),
            ("Long", "LongTimeout"),
            ("Training", "TrainingTimeout"),
        ):
            assert int(times[f"{kind}Visibility"]) >= 6 * times[timeout]


def test_every_room_is_deployed_with_an_http_door() -> None:
    doors = {
        read_room(TEMPLATE, name)
        for name, properties in list_resources(TEMPLATE, FUNCTION)
        if properties["Handler"].endswith(".api.handler")
    }
    assert doors == set(ROOMS)


@pytest.mark.parametrize("function", [name for name, _ in list_resources(TEMPLATE, FUNCTION)])
def test_a_functions_handler_is_there(function: str) -> None:
    module = TEMPLATE["Resources"][function]["Properties"]["Handler"].rsplit(".", 1)[0]
    place = ROOT / module.replace(".", "/")
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    assert path.is_file()
    names = {
        *(node.name for node in ast.walk(_parse(path)) if isinstance(node, ast.FunctionDef)),
        *(node.id for node in ast.walk(_parse(path)) if isinstance(node, ast.Name)),
    }
    assert "handler" in names


def test_a_function_is_named_after_its_room_and_door() -> None:
    for name, properties in list_resources(TEMPLATE, FUNCTION):
        _, room, door, _ = properties["Handler"].split(".")
        expected = f"sinyal-${{Stage}}-{room.replace('_', '-')}-{door}"
        assert properties["FunctionName"] == {"Fn::Sub": expected}, name
        variables = properties["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == room


def test_a_function_has_no_more_layers_than_lambda_takes() -> None:
    for function, layers in list_layers(TEMPLATE).items():
        assert len(layers) <= LAYERS_MAX, function
        assert len(layers) == len(set(layers)), function


def test_every_verb_is_listed() -> None:
    verbs = {method for _, method, _, _ in routes()}
    assert verbs <= {"get", "post", "put", "patch", "delete", "options"}


def test_no_route_is_listed_twice() -> None:
    seen = [(method, path) for _, method, path, _ in routes()]
    assert len(seen) == len(set(seen))


def test_only_one_variable_stands_at_one_place_of_a_path() -> None:
    """API Gateway refuses /invoices/{id} beside /invoices/{proxy+}."""
    variables: dict[str, set[str]] = {}
    for _, _, path, _ in routes():
        parts = path.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                variables.setdefault("/".join(parts[:at]), set()).add(part)
    assert {place: found for place, found in variables.items() if len(found) > 1} == {}


def test_the_routes_that_the_table_opens_are_open_and_no_others() -> None:
    table = {(row.method.lower(), row.path) for row in ROUTES if row.access == "open"}
    found = {(method, path) for _, method, path, is_open in routes() if is_open}
    assert found == {*table, ("options", "/v1/{proxy+}")}


def test_every_error_of_the_api_itself_is_problem_json() -> None:
    [(_, api)] = list_resources(TEMPLATE, API)
    for kind, response in api["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        assert headers["Content-Type"] == "'application/problem+json'", kind
        body = response["ResponseTemplates"]["application/json"]
        for member in ("type", "title", "status", "code", "detail"):
            assert f'"{member}":' in body, kind
        assert f'"status": {response["StatusCode"]}' in body, kind


def test_every_message_a_rule_waits_for_is_a_contract() -> None:
    for name, rule in list_resources(RULES, "AWS::Events::Rule"):
        for kind in rule["EventPattern"]["detail-type"]:
            names = kind["anything-but"] if isinstance(kind, dict) else [kind]
            for message in names:
                assert message in MESSAGES or message in CLOCK_COMMANDS, (name, message)


def test_every_rule_fills_a_queue_that_exists() -> None:
    for name, rule in list_resources(RULES, "AWS::Events::Rule"):
        [target] = rule["Targets"]
        queue = target["Arn"]["Fn::Sub"].removeprefix("${Queues}:sinyal-${Stage}-")
        assert queue in inboxes(), name
        assert target["DeadLetterConfig"]["Arn"]["Fn::Sub"].endswith(f"{queue}-dlq"), name


def test_every_schedule_fills_a_queue_that_its_role_may_fill() -> None:
    [(_, role)] = list_resources(RULES, "AWS::IAM::Role")
    [statement] = role["Policies"][0]["PolicyDocument"]["Statement"]
    schedules = dict(list_resources(RULES, "AWS::Scheduler::Schedule"))
    assert len(schedules) == len(CLOCK_COMMANDS)
    for name, schedule in schedules.items():
        assert schedule["Target"]["Arn"] in statement["Resource"], name


def _statements(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "Effect" in node and "Action" in node:
            yield node
        for value in node.values():
            yield from _statements(value)
    elif isinstance(node, list):
        for value in node:
            yield from _statements(value)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_statement_names_everything_without_a_reason() -> None:
    found = set()
    for file, template in ALL.items():
        for name, resource in template["Resources"].items():
            for statement in _statements(resource):
                actions = [str(action) for action in _as_list(statement["Action"])]
                resources = [str(item) for item in _as_list(statement.get("Resource", "own"))]
                if any("*" in action for action in actions) or any(
                    re.search(r"\*(?!\})", item) and "BucketArn}/*" not in item
                    for item in resources
                ):
                    found.add((file, name))
    assert found == set(WILDCARDS)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _secrets_asked(room: str) -> set[str]:
    """The secrets that the room's code names, through kit or by itself."""
    found: set[str] = set()
    opened = {"open_redis": "redis", "open_analytics": "clickhouse"}
    for path in (ROOT / "functions" / room).rglob("*.py"):
        for node in ast.walk(_parse(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            called = node.func.id
            literal = node.args[0] if node.args else None
            named = literal.value if isinstance(literal, ast.Constant) else None
            if called in opened:
                found.add(opened[called])
            elif called == "open_database":
                found.add(f"db/{named}")
            elif called == "read_secret" and named is not None:
                found.add(str(named))
    return found


def _secrets_granted(policy: str) -> set[str]:
    """The secrets that a policy of access.yaml opens."""
    granted = set()
    for statement in _statements(ACCESS["Resources"].get(policy, {})):
        if statement["Action"] == "secretsmanager:GetSecretValue":
            for item in _as_list(statement["Resource"]):
                name = item["Fn::Sub"].removeprefix("${Secrets}/")
                granted.add(name.removesuffix("-??????"))
    return granted


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_may_read_the_secrets_its_code_asks_for_and_no_others(room: str) -> None:
    asked = _secrets_asked(room)
    policy = room.title().replace("_", "")
    granted = _secrets_granted(policy)
    if room == "database_service":
        assert _secrets_granted("Migrations") == {"db/*"}
        asked -= {"db/admin"}
    assert granted == asked
