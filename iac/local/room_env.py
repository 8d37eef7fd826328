"""The environment of a room's code outside of Lambda: its deployed function's, on loopback."""

import os

from iac.local.aws import function_env, make_client
from iac.local.stack import ROOT, STAGE

IMPORT_ROOTS = (".", "layers/contracts/src", "layers/kit/src", "edge-bridge/src")


def make_room_env(room: str, endpoint: str) -> dict[str, str]:
    """Return what the room's `api` function sees, plus the way to the working copy's code."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(str(ROOT / root) for root in IMPORT_ROOTS),
        "POWERTOOLS_TRACE_DISABLED": "true",
        **_deployed_env(room, endpoint),
        **function_env(endpoint),
    }


def _deployed_env(room: str, endpoint: str) -> dict[str, str]:
    name = f"sinyal-{STAGE}-{room.replace('_', '-')}-api"
    client = make_client("lambda", endpoint)
    try:
        found = client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        return {
            "STAGE": STAGE,
            "POWERTOOLS_SERVICE_NAME": room,
            "EVENT_BUS_NAME": f"sinyal-{STAGE}",
            "PUBLIC_URL": endpoint,
        }
    return dict(found.get("Environment", {}).get("Variables", {}))
