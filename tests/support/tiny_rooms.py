"""A copy of the project's template over rooms of a few lines: what the wiring does is seen in what
they receive, whatever the real rooms do.

The API doors answer with the event they got. The consumers refuse a message whose body holds
"refuse", and write down the others in a folder.
"""

import shutil
from pathlib import Path

from iac.local.rooms import ROOMS

REPOSITORY = Path(__file__).parents[2]

API = """
import json

def handler(event, context):
    print("request", event["path"])
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"room": ROOM, "event": event}),
    }
"""

CONSUMER = """
import json, pathlib

def handler(event, context):
    print("batch of", len(event["Records"]))
    refused = []
    for record in event["Records"]:
        if "refuse" in record["body"]:
            refused.append({"itemIdentifier": record["messageId"]})
        else:
            (pathlib.Path(SEEN) / f"{ROOM}-{record['messageId']}.json").write_text(record["body"])
    return {"batchItemFailures": refused}
"""

AUTHORIZER = """
def handler(event, context):
    token = (event["headers"].get("authorization") or "").removeprefix("Bearer ")
    print("token", token)
    if not token.startswith("tenant-"):
        raise Exception("Unauthorized")
    effect = "Deny" if token == "tenant-suspended" else "Allow"
    arn = event["methodArn"].split("/", 1)[0] + "/*"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
    return {
        "principalId": token,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"tenant_id": token, "verified": True, "tier": 2},
    }
"""


def write_tiny_project(root: Path, seen: Path) -> None:
    """Lay out template.yaml, iac/, tiny layers and fifteen tiny rooms under `root`."""
    shutil.copy(REPOSITORY / "template.yaml", root)
    shutil.copytree(REPOSITORY / "iac", root / "iac", ignore=shutil.ignore_patterns("local"))
    for layer in ("contracts", "kit"):
        package = root / "layers" / layer / "src" / layer
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f'NAME = "{layer}"\n')
    functions = root / "functions"
    functions.mkdir()
    (functions / "__init__.py").write_text("")
    for room in ROOMS:
        folder = functions / room
        folder.mkdir()
        constants = f"ROOM = {room!r}\nSEEN = {str(seen)!r}\n"
        (folder / "__init__.py").write_text("")
        (folder / "api.py").write_text(constants + API)
        (folder / "consumer.py").write_text(constants + CONSUMER)
    (functions / "api_gateway" / "authorizer.py").write_text(AUTHORIZER)
