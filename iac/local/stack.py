"""One running local stack: every part started side by side, described in `stack.json`."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iac.local.aws import REGION, make_client
from iac.local.clickhouse.server import ClickHouseServer, start_clickhouse
from iac.local.credentials import Credentials
from iac.local.ministack import AwsServer, start_ministack
from iac.local.ports import LOOPBACK, choose_ports
from iac.local.postgres import PostgresServer, start_postgres
from iac.local.process import Part, list_parts, stop_all_parts
from iac.local.redis import RedisServer, start_redis
from iac.local.sandboxes import Sandboxes, start_sandboxes

ROOT = Path(__file__).parents[2]
STAGE = "local"
API_NAME = "api.sinyal.localhost"
PARTS = ("postgres", "redis", "clickhouse", "aws", "sandboxes")
POLL_SECONDS = 0.2

# Told (part, state, seconds): state is "starting", "ready" or "failed".
Progress = Callable[[str, str, float], None]


def ignore_progress(part: str, state: str, seconds: float) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Stack:
    """The running parts, with what a client or a deployment needs to know of them."""

    var: Path
    postgres: PostgresServer
    redis: RedisServer
    clickhouse: ClickHouseServer
    aws: AwsServer
    sandboxes: Sandboxes
    websocket_port: int
    stage: str = STAGE
    region: str = REGION
    root: Path = ROOT

    @property
    def credentials(self) -> Credentials:
        return self.sandboxes.credentials

    @property
    def aws_endpoint(self) -> str:
        return self.aws.endpoint

    @property
    def public_url(self) -> str:
        """Return the API's address by name: what functions put into links."""
        return f"http://{API_NAME}:{self.aws.port}"

    @property
    def parts(self) -> list[Part]:
        servers = (self.postgres, self.redis, self.clickhouse, self.aws, self.sandboxes)
        return [server.part for server in servers]

    def client(self, service: str) -> Any:
        """Return a boto3 client at this stack's AWS endpoint."""
        return make_client(service, self.aws_endpoint)

    def describe(self) -> dict[str, Any]:
        """Return the content of stack.json."""
        click = self.clickhouse
        credentials = self.credentials
        return {
            "api": {"url": self.aws_endpoint, "host_header": f"{API_NAME}:{self.aws.port}"},
            "websocket": f"ws://{LOOPBACK}:{self.websocket_port}/stream",
            "postgres": self.postgres.dsn,
            "redis": self.redis.url,
            "clickhouse": f"http://{click.username}:{click.password}@{click.host}:{click.port}"
            f"/{click.database}",
            "aws_endpoint": self.aws_endpoint,
            "sandboxes": dict(self.sandboxes.urls),
            "midtrans_server_key": credentials.midtrans_server_key,
            "telegram_webhook_secret": credentials.telegram_webhook_secret,
            "admin": {"email": credentials.admin_email, "password": credentials.admin_password},
        }

    def write_description(self) -> Path:
        """Write stack.json, readable by its owner only."""
        file = self.var / "stack.json"
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(self.describe(), out, indent=2)
            out.write("\n")
        draft.replace(file)
        return file

    def find_stopped_part(self) -> Part | None:
        """Return a part that ended by itself, if any did."""
        return next((part for part in self.parts if not part.is_running()), None)

    def stop(self) -> None:
        """Stop every part and remove stack.json: nobody should use a stack that is gone."""
        (self.var / "stack.json").unlink(missing_ok=True)
        with ThreadPoolExecutor(max_workers=len(PARTS)) as pool:
            servers = (self.aws, self.sandboxes, self.clickhouse, self.redis, self.postgres)
            for stopped in [pool.submit(server.stop) for server in servers]:
                stopped.result()


def start_stack(var: Path, progress: Progress = ignore_progress, aws: str = "ministack") -> Stack:
    """Start an empty stack under `var`; raise PartFailed, with nothing left running, if it cannot.

    `aws` is "ministack" or "localstack".
    """
    var.mkdir(parents=True, exist_ok=True)
    (var / "stack.json").unlink(missing_ok=True)  # of a launcher that was killed
    var.chmod(0o711)  # PostgreSQL may run as another user beneath it
    logs = var / "logs"
    aws_port, websocket_port = choose_ports(2)
    starters: dict[str, Callable[[], Any]] = {
        "postgres": lambda: start_postgres(var, logs),
        "redis": lambda: start_redis(var, logs),
        "clickhouse": lambda: start_clickhouse(var, logs),
        "aws": lambda: _start_aws(aws, var, logs, aws_port),
        "sandboxes": lambda: start_sandboxes(
            var,
            logs,
            api_url=f"http://{LOOPBACK}:{aws_port}",
            api_host=f"{API_NAME}:{aws_port}",
        ),
    }
    servers = _start_together(starters, progress)
    return Stack(var=var, websocket_port=websocket_port, **servers)


def _start_aws(kind: str, var: Path, logs: Path, port: int) -> AwsServer:
    if kind == "localstack":
        from iac.local.localstack import start_localstack

        return start_localstack(var, logs, port)
    return start_ministack(var, logs, port=port)


def _start_together(starters: dict[str, Callable[[], Any]], progress: Progress) -> dict[str, Any]:
    before = list_parts()
    with ThreadPoolExecutor(max_workers=len(starters)) as pool:
        futures = {
            name: pool.submit(_start_one, name, start, progress) for name, start in starters.items()
        }
        with _stopping_on_failure(list(futures.values()), before):
            for future in as_completed(futures.values()):  # the first failure, not its echoes
                future.result()
    return {name: future.result() for name, future in futures.items()}


def _start_one(name: str, start: Callable[[], Any], progress: Progress) -> Any:
    began = time.monotonic()
    progress(name, "starting", 0.0)
    succeeded = False
    try:
        server = start()
        succeeded = True
    finally:
        progress(name, "ready" if succeeded else "failed", time.monotonic() - began)
    return server


@contextlib.contextmanager
def _stopping_on_failure(futures: list[Future[Any]], before: frozenset[int]) -> Iterator[None]:
    """Stop what has started and what is starting when one part fails or the user interrupts.

    Parts that ran ``before`` belong to somebody else in this process.
    """
    try:
        yield
    except BaseException:
        while wait(futures, timeout=POLL_SECONDS).not_done:
            stop_all_parts(besides=before)
        stop_all_parts(besides=before)
        raise
