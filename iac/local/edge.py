"""The edge of a running stack: the live process over the shipped recording, with paper accounts.

`make up` has one, so that linked accounts are confirmed, `stack.json`'s WebSocket address answers,
and a model that was promoted trades. The demo plays its own day and starts its own edge.
"""

import os
import sys
from pathlib import Path

from iac.local.aws import DUMMY_KEYS
from iac.local.folders import make_empty_folder
from iac.local.ports import LOOPBACK
from iac.local.process import Part, minimal_env, start_part, wait_until_ready
from iac.local.stack import API_NAME, ROOT, Stack

RECORDING = ROOT / "iac" / "local" / "demo" / "data" / "eurusd_oanda_2014-05.parquet"
SYMBOL = "EURUSD"
READY_SECONDS = 30.0
CONFIG = """\
name = "edge-local"
stage = "{stage}"
state = '{state}'

[cloud]
event_bus = "sinyal-{stage}"
edge_queue = "sinyal-{stage}-edge"
market_queue = "sinyal-{stage}-market-data"
eager_poll_ms = 20 # MiniStack looks at a polled queue every 100 ms only

[market]
source = "recording"
symbols = ["{symbol}"]
recording = '{recording}'
speed = {speed}

[stream]
host = "{host}"
port = {port}
jwks_url = "http://{host}:{api_port}/.well-known/jwks.json"
jwks_host = "{api_host}"
issuer = "{issuer}"

[clock]
servers = [] # there is no time server in here
"""


def write_config(stack: Stack, home: Path, speed: float) -> Path:
    """Write the edge's configuration for a stack; the same file runs it by hand."""
    path = home / "edge.toml"
    path.write_text(
        CONFIG.format(
            stage=stack.stage, state=home / "state", symbol=SYMBOL, recording=RECORDING,
            speed=speed, host=LOOPBACK, port=stack.websocket_port, api_port=stack.aws.port,
            api_host=f"{API_NAME}:{stack.aws.port}", issuer=stack.public_url,
        ),
        encoding="utf-8",
    )  # fmt: skip
    return path


def start_edge_host(stack: Stack, speed: float = 1.0) -> Part:
    """Start the live edge and wait until its port listens. Raises PartFailed."""
    home = make_empty_folder(stack.var / "edge")
    config = write_config(stack, home, speed)
    paths = [str(ROOT / part) for part in ("layers/contracts/src", "edge-bridge/src")]
    part = start_part(
        "edge",
        [sys.executable, "-m", "edge_bridge", "run", "--config", config],
        log_dir=stack.var / "logs",
        env=minimal_env(
            home,
            PYTHONPATH=os.pathsep.join(paths),
            AWS_ENDPOINT_URL=stack.aws_endpoint,
            AWS_DEFAULT_REGION=stack.region,
            **DUMMY_KEYS,
        ),
        cwd=home,
    )
    wait_until_ready(part, lambda: _is_listening(stack.websocket_port), READY_SECONDS)
    return part


def _is_listening(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
