"""template.yaml over tiny rooms on MiniStack: routes, authorizer, bus, queues and schedules."""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from iac.local.aws import REGION, make_client
from iac.local.deploy import Deployment, DeploymentFailed, deploy
from iac.local.deploy_artifacts import RoomMissing
from iac.local.testing import start_ministack
from tests.support.tiny_rooms import write_tiny_project

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Target:
    aws_endpoint: str
    public_url: str
    root: Path
    region: str = REGION


@dataclass(frozen=True)
class Deployed:
    target: Target
    deployment: Deployment
    seen: Path

    def client(self, service: str) -> Any:
        return make_client(service, self.target.aws_endpoint)

    def request(self, method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
        headers = {"host": self.deployment.host_header}
        if token:
            headers["authorization"] = f"Bearer {token}"
        url = self.deployment.api_url + path
        return httpx.request(method, url, headers=headers, timeout=15, **more)

    def received(self, room: str) -> list[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in self.seen.glob(f"{room}-*.json")]

    def publish(self, detail_type: str, mark: str) -> None:
        entry = {
            "Source": "sinyal.test",
            "DetailType": detail_type,
            "Detail": json.dumps({"meta": {"mark": mark}, "data": {}}),
            "EventBusName": self.deployment.outputs["BusName"],
        }
        answer = self.client("events").put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0

    def count(self, queue: str) -> int:
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in found.values())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    home = tmp_path_factory.mktemp("deploy")
    root, seen = home / "project", home / "seen"
    root.mkdir()
    seen.mkdir()
    write_tiny_project(root, seen)
    server = start_ministack(home)
    url = f"http://api.sinyal.localhost:{server.port}"
    target = Target(server.endpoint, url, root)
    yield Deployed(target, deploy(target), seen)
    server.stop()


def wait_for(found: Callable[[], Any], seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.1)
    return found()


def marks(deployed: Deployed, room: str) -> set[str]:
    bodies = deployed.received(room)
    return {body["detail"]["meta"]["mark"] for body in bodies if "detail" in body}


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] and body["title"] and body["detail"]


def test_what_the_authorizer_says_reaches_the_function_as_strings(deployed: Deployed) -> None:
    answer = deployed.request("GET", "/v1/users/me", "tenant-one").json()
    assert answer["room"] == "user_management"
    authorizer = answer["event"]["requestContext"]["authorizer"]
    assert authorizer == {
        "tenant_id": "tenant-one",
        "verified": "true",
        "tier": "2",
        "principalId": "tenant-one",
    }


def test_each_request_is_authorized_anew(deployed: Deployed) -> None:
    for tenant in ("tenant-one", "tenant-two", "tenant-one"):
        event = deployed.request("GET", "/v1/orders", tenant).json()["event"]
        assert event["requestContext"]["authorizer"]["tenant_id"] == tenant


def test_a_missing_token_is_answered_with_401_as_problem_json(deployed: Deployed) -> None:
    assert_problem(deployed.request("GET", "/v1/users/me"), 401, "unauthenticated")


def test_a_token_that_the_authorizer_refuses_is_answered_with_401(deployed: Deployed) -> None:
    assert_problem(deployed.request("GET", "/v1/users/me", "expired"), 401, "unauthenticated")


def test_a_denied_caller_is_answered_with_403(deployed: Deployed) -> None:
    response = deployed.request("GET", "/v1/users/me", "tenant-suspended")
    assert_problem(response, 403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("DELETE", "/v1/orders")])
def test_what_no_route_takes_is_answered_with_404(
    deployed: Deployed, method: str, path: str
) -> None:
    assert_problem(deployed.request(method, path, "tenant-one"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "room"),
    [
        ("POST", "/v1/auth/login", "user_service"),
        ("POST", "/v1/auth/verify-email", "user_management"),
        ("GET", "/.well-known/jwks.json", "user_service"),
        ("GET", "/v1/plans", "subscription_service"),
        ("GET", "/v1/health/ready", "api_gateway"),
        ("POST", "/v1/payments/midtrans/notifications", "payment_gateway"),
        ("POST", "/v1/telegram/webhook/777", "notification_service"),
        ("OPTIONS", "/v1/orders", "api_gateway"),
    ],
)
def test_an_open_route_needs_no_token(
    deployed: Deployed, method: str, path: str, room: str
) -> None:
    response = deployed.request(method, path)
    assert response.status_code == 200, response.text
    assert response.json()["room"] == room
    assert response.json()["event"]["path"] == path


@pytest.mark.parametrize(
    ("method", "path", "room"),
    [
        ("POST", "/v1/invoices/INV-1/payments", "payment_gateway"),
        ("GET", "/v1/invoices/INV-1/pdf", "billing_service"),
        ("GET", "/v1/invoices/INV-1", "billing_service"),
        ("GET", "/v1/payments/p-1", "payment_gateway"),
        ("GET", "/v1/usage/requests", "api_gateway"),
        ("GET", "/v1/usage", "subscription_service"),
        ("DELETE", "/v1/accounts/a-1", "trading_engine"),
        ("GET", "/v1/signals/s-1/trace", "ai_orchestration"),
        ("GET", "/v1/deep-learning/anomalies", "deep_learning"),
    ],
)
def test_a_route_leads_to_its_room(deployed: Deployed, method: str, path: str, room: str) -> None:
    assert deployed.request(method, path, "tenant-one").json()["room"] == room


def test_an_event_reaches_every_room_that_hears_it_and_no_other(deployed: Deployed) -> None:
    mark = uuid.uuid4().hex
    deployed.publish("InvoicePaid", mark)
    hearing = {"subscription_service", "notification_service", "performance_analytics"}
    assert wait_for(lambda: all(mark in marks(deployed, room) for room in hearing))
    assert mark not in marks(deployed, "billing_service")


def test_analytics_does_not_hear_bars(deployed: Deployed) -> None:
    mark = uuid.uuid4().hex
    deployed.publish("BarClosed", mark)
    assert wait_for(lambda: mark in marks(deployed, "ai_orchestration"))
    assert mark not in marks(deployed, "performance_analytics")


def test_the_edge_hears_signals_in_a_queue_of_its_own(deployed: Deployed) -> None:
    before = deployed.count("sinyal-local-edge")
    deployed.publish("SignalIssued", "x")
    assert wait_for(lambda: deployed.count("sinyal-local-edge") == before + 1)


def test_one_refused_message_neither_stops_nor_repeats_its_batch(deployed: Deployed) -> None:
    sqs = deployed.client("sqs")
    url = sqs.get_queue_url(QueueName="sinyal-local-user-management")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    bodies = [{"command": word} for word in ("first", "refuse", "third")]
    entries = [{"Id": str(i), "MessageBody": json.dumps(body)} for i, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert wait_for(lambda: deployed.count("sinyal-local-user-management-dlq") == 1)
    commands = sorted(body.get("command", "") for body in deployed.received("user_management"))
    assert commands == ["first", "third"]
    assert deployed.count("sinyal-local-user-management") == 0


def test_a_schedule_puts_its_command_into_the_rooms_queue(deployed: Deployed) -> None:
    scheduler = deployed.client("scheduler")
    found = scheduler.get_schedule(Name="sinyal-local-run-billing")
    assert found["ScheduleExpression"] == "cron(5 17 * * ? *)"
    now = datetime.now(UTC)
    scheduler.create_schedule(
        Name="the-same-now",
        ScheduleExpression=f"at({now:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=found["Target"],
    )
    command = {"command": "RunBilling", "data": {}}
    assert wait_for(lambda: command in deployed.received("billing_service"), seconds=30)


def test_deploying_again_updates_what_changed_and_keeps_the_address(deployed: Deployed) -> None:
    room = deployed.target.root / "functions" / "deep_learning" / "api.py"
    room.write_text(room.read_text().replace('"room": ROOM', '"room": "changed"'))
    again = deploy(deployed.target)
    assert again.api_url == deployed.deployment.api_url
    answer = deployed.request("GET", "/v1/deep-learning/x", "tenant-one")
    assert answer.json()["room"] == "changed"
    assert deployed.request("GET", "/v1/orders", "tenant-one").json()["room"] == "trading_engine"
    assert_problem(deployed.request("GET", "/v1/orders"), 401, "unauthenticated")


def test_a_changed_route_answers_at_the_same_address(deployed: Deployed) -> None:
    """MiniStack makes another API when its routes change; the host name follows it."""
    template = deployed.target.root / "template.yaml"
    template.write_text(template.read_text().replace("Path: /v1/trades", "Path: /v1/deals"))
    deploy(deployed.target)
    assert deployed.request("GET", "/v1/deals", "tenant-one").json()["room"] == "trading_engine"
    assert_problem(deployed.request("GET", "/v1/trades", "tenant-one"), 404, "not_found")
    assert_problem(deployed.request("GET", "/v1/deals", "expired"), 401, "unauthenticated")


def test_a_room_without_code_is_an_error(deployed: Deployed, tmp_path: Path) -> None:
    root = shutil.copytree(deployed.target.root, tmp_path / "project")
    shutil.rmtree(root / "functions" / "ai_provider")
    target = Target(deployed.target.aws_endpoint, deployed.target.public_url, root)
    with pytest.raises(RoomMissing, match="ai_provider"):
        deploy(target)


def test_a_refused_template_says_why(deployed: Deployed, tmp_path: Path) -> None:
    root = shutil.copytree(deployed.target.root, tmp_path / "project")
    template = root / "template.yaml"
    template.write_text(template.read_text().replace("AWS::SNS::Topic", "AWS::Nothing::Here"))
    target = Target(deployed.target.aws_endpoint, deployed.target.public_url, root)
    with pytest.raises(DeploymentFailed, match="AWS::Nothing::Here"):
        deploy(target, stage="staging")
