"""MiniStack: Lambda, SQS, EventBridge, API Gateway, S3, Secrets Manager and KMS on loopback."""

import http.client
import sys
from dataclasses import dataclass
from pathlib import Path

from iac.local.aws import DUMMY_KEYS, REGION
from iac.local.folders import make_empty_folder
from iac.local.ports import LOOPBACK, choose_ports
from iac.local.process import STOP_SECONDS, Part, minimal_env, start_part, wait_until_ready

SERVER = Path(__file__).with_name("ministack_server.py")
READY_SECONDS = 25.0


@dataclass(frozen=True)
class AwsServer:
    """A running AWS endpoint, MiniStack's or LocalStack's."""

    part: Part
    port: int
    stop_seconds: float = STOP_SECONDS

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        self.part.stop(self.stop_seconds)


def start_ministack(
    directory: Path,
    log_dir: Path | None = None,
    *,
    port: int | None = None,
    enforce_iam: bool = False,
) -> AwsServer:
    """Start an empty MiniStack; with `enforce_iam` each function has only its role's rights.

    Lambda workers inherit its environment: a clean one, so that a function sees its own code,
    its layers and the installed packages, as it would in AWS, and never the working copy.
    """
    home = make_empty_folder(directory / "ministack")
    for name in ("tmp", "empty"):
        (home / name).mkdir()
    port = port or choose_ports(1)[0]
    part = start_part(
        "ministack",
        [sys.executable, "-P", str(SERVER)],
        log_dir=log_dir or directory / "logs",
        env=minimal_env(home, **_settings(home, port, enforce_iam)),
        cwd=home / "empty",
    )
    wait_until_ready(part, lambda: answers(port, "/_ministack/ready"), READY_SECONDS)
    return AwsServer(part, port)


def _settings(home: Path, port: int, enforce_iam: bool) -> dict[str, str]:
    return {
        **DUMMY_KEYS,
        "MINISTACK_PORT": str(port),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true" if enforce_iam else "false",
        "DOCKER_HOST": f"unix://{home}/no-docker.sock",  # it must not touch the user's containers
        "TMPDIR": str(home / "tmp"),
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        "POWERTOOLS_TRACE_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LOG_LEVEL": "INFO",
    }


def answers(port: int, path: str) -> bool:
    """Tell whether the server answers this path with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
