"""Deploy this working copy's template.yaml to the local stack through CloudFormation.

`sam deploy` does the same in ten seconds; this takes one or two, so that a demo or a test can
deploy afresh. It may be called again at any time: what changed is updated in place.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from iac.local.aws import make_client
from iac.local.deploy_artifacts import ArtifactStore, zip_layer, zip_placeholder, zip_room
from iac.local.deploy_template import (
    API,
    FUNCTION,
    LAYER,
    NESTED_STACK,
    Template,
    list_resources,
    locate_artifacts,
    read_room,
    read_template,
)

OWN_LAYERS = {"layers/contracts": "contracts", "layers/kit": "kit"}
THIRD_PARTY = "layers/third_party"
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
# A stack in one of these can only be deleted and made again.
DEAD = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED"}
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
FAILURES_SHOWN = 10


class DeploymentFailed(Exception):
    """CloudFormation refused the template or could not make one of its resources."""


class Target(Protocol):
    """What a deployment needs to know of the running stack."""

    @property
    def aws_endpoint(self) -> str: ...

    @property
    def public_url(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def root(self) -> Path: ...


@dataclass(frozen=True)
class Deployment:
    """Where the deployed API answers, and what the template's Outputs say."""

    api_url: str
    host_header: str
    outputs: dict[str, str]


def deploy(target: Target, stage: str = "local") -> Deployment:
    """Deploy every function, queue, rule, schedule and route of template.yaml.

    Raises RoomMissing when the template names a room without code, and DeploymentFailed with
    CloudFormation's reasons otherwise.
    """
    endpoint = target.aws_endpoint
    template = read_template((target.root / "template.yaml").read_text(encoding="utf-8"))
    store = ArtifactStore(make_client("s3", endpoint), endpoint, target.region)
    located = _upload_artifacts(template, target.root, store)
    host = target.public_url.split("://", 1)[1]
    parameters = {
        "Stage": stage,
        "PublicUrl": target.public_url,
        "PublicDomain": host.rsplit(":", 1)[0],
    }
    name = f"sinyal-{stage}"
    stack = _CloudFormationStack(make_client("cloudformation", endpoint), name)
    outputs = stack.apply(store.put_template("template", json.dumps(located)), parameters)
    _put_gateway_responses(template, make_client("apigateway", endpoint), outputs)
    return Deployment(api_url=endpoint, host_header=host, outputs=outputs)


def _upload_artifacts(template: Template, root: Path, store: ArtifactStore) -> Template:
    rooms = {read_room(template, name) for name, _ in list_resources(template, FUNCTION)}
    room_uris = {room: store.put_zip(room, zip_room(root, room)) for room in sorted(rooms)}
    layer_uris = {}
    for name, properties in list_resources(template, LAYER):
        content = properties["ContentUri"]
        if content == THIRD_PARTY:
            layer_uris[name] = store.put_zip(name, zip_placeholder(name))
        else:
            layer = OWN_LAYERS[content]
            layer_uris[name] = store.put_zip(layer, zip_layer(root, layer))
    paths = {properties["TemplateURL"] for _, properties in list_resources(template, NESTED_STACK)}
    nested = {
        path: store.put_template(
            Path(path).stem, json.dumps(read_template((root / path).read_text(encoding="utf-8")))
        )
        for path in sorted(paths)
    }
    return locate_artifacts(template, room_uris, layer_uris, nested)


class _CloudFormationStack:
    """One stack: made, updated, or made again when an earlier attempt left it dead."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def apply(self, template_url: str, parameters: dict[str, str]) -> dict[str, str]:
        """Create or update the stack, wait for it, and return its outputs."""
        status = self._read().get("StackStatus")
        if status in DEAD:
            self._client.delete_stack(StackName=self._name)
            self._wait()
            status = None
        request = {
            "StackName": self._name,
            "TemplateURL": template_url,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Capabilities": CAPABILITIES,
        }
        try:
            if status is None or status == "DELETE_COMPLETE":
                self._client.create_stack(**request)
            else:
                self._client.update_stack(**request)
        except self._client.exceptions.ClientError as error:
            reason = error.response["Error"].get("Message", str(error))
            if "No updates are to be performed" not in reason:
                raise DeploymentFailed(f"the template was refused: {reason}") from error
        stack = self._wait()
        if stack.get("StackStatus") not in DONE:
            raise DeploymentFailed(self._explain(stack))
        return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}

    def _read(self) -> dict[str, Any]:
        try:
            stacks = self._client.describe_stacks(StackName=self._name)["Stacks"]
        except self._client.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return {}
            raise
        return dict(stacks[0]) if stacks else {}

    def _wait(self) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            stack = self._read()
            if not str(stack.get("StackStatus", "")).endswith("_IN_PROGRESS"):
                return stack
            time.sleep(POLL_SECONDS)
        raise DeploymentFailed(f"{self._name} was not ready within {WAIT_SECONDS:.0f} s")

    def _explain(self, stack: dict[str, Any]) -> str:
        events = self._client.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
        reasons = [
            f"  {event['LogicalResourceId']} ({event['ResourceType']}): "
            f"{event.get('ResourceStatusReason', 'no reason given')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        shown = reasons[:FAILURES_SHOWN] or [f"  {stack.get('StackStatusReason', 'no reason')}"]
        return "\n".join([f"{self._name} is {stack.get('StackStatus', 'gone')}:", *shown])


def _put_gateway_responses(template: Template, client: Any, outputs: dict[str, str]) -> None:
    """Set the API's own error bodies: MiniStack leaves them out when it imports the API.

    They take effect with a new deployment of the stage.
    """
    [(_, api)] = list_resources(template, API)
    for kind, response in api["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        client.put_gateway_response(
            restApiId=outputs["ApiId"],
            responseType=kind,
            statusCode=str(response["StatusCode"]),
            responseParameters={
                f"gatewayresponse.header.{name}": value for name, value in headers.items()
            },
            responseTemplates=response["ResponseTemplates"],
        )
    client.create_deployment(restApiId=outputs["ApiId"], stageName=outputs["ApiStage"])
