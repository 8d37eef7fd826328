"""LocalStack in MiniStack's place, for machines with Docker: `up --aws localstack`.

Its command lives in an environment of its own (.tools/localstack): it pins other libraries. The
container and its functions use the host's network, because the stores listen on loopback only.
"""

import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from iac.local.aws import REGION
from iac.local.folders import make_empty_folder
from iac.local.ministack import AwsServer, answers
from iac.local.ports import LOOPBACK
from iac.local.process import minimal_env, start_part, wait_until_ready

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / ".tools" / "localstack" / "bin" / "localstack"
IMAGE = "localstack/localstack:4.14.0"  # the last community version
READY_SECONDS = 300.0  # the first start pulls the image
DOCKER_SECONDS = 15.0
STOP_SECONDS = 30.0


class LocalStackUnavailable(RuntimeError):
    """LocalStack cannot be used on this machine; the message says what to do about it."""


def check_available() -> None:
    """Raise LocalStackUnavailable unless Docker answers and LocalStack's command is installed."""
    docker = shutil.which("docker")
    if docker is None:
        raise LocalStackUnavailable(
            "LocalStack runs functions in Docker, and there is no docker command here. Install "
            "Docker Engine, or leave out AWS=localstack: the default needs no Docker."
        )
    try:
        answer = subprocess.run(
            [docker, "info"], capture_output=True, timeout=DOCKER_SECONDS, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise LocalStackUnavailable(
            f"docker info did not answer within {DOCKER_SECONDS:.0f} s: is the daemon healthy?"
        ) from None
    if answer.returncode != 0:
        reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LocalStackUnavailable(
            f"Docker is installed but its daemon does not answer ({reason}). Start it (systemctl "
            "start docker) and let this user reach it (group docker), or leave out AWS=localstack."
        )
    if not COMMAND.exists():
        raise LocalStackUnavailable(
            "LocalStack's command is not installed. Install it into an environment of its own:\n"
            "  python3 -m venv .tools/localstack && "
            ".tools/localstack/bin/pip install -r requirements/localstack.txt"
        )


def start_localstack(directory: Path, log_dir: Path, port: int) -> AwsServer:
    """Start LocalStack's container with its gateway on this loopback port."""
    check_available()
    home = make_empty_folder(directory / "localstack")
    container = f"sinyal-{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:10]}"
    part = start_part(
        "localstack",
        [COMMAND, "start", "--no-banner"],
        log_dir=log_dir,
        env=_settings(home, port, container),
        cwd=home,
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,  # its command then removes the container
    )
    wait_until_ready(part, lambda: answers(port, "/_localstack/health"), READY_SECONDS)
    return AwsServer(part, port, stop_seconds=STOP_SECONDS)


def _settings(home: Path, port: int, container: str) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    return minimal_env(
        home,
        GATEWAY_LISTEN=f"{LOOPBACK}:{port}",
        MAIN_CONTAINER_NAME=container,
        IMAGE_NAME=IMAGE,
        DEFAULT_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        DOCKER_FLAGS="--network host",
        LAMBDA_DOCKER_NETWORK="host",
        DISABLE_EVENTS="1",
        **passed_on,
    )
