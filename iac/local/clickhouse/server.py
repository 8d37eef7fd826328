"""Start the ClickHouse front as a part of the stack."""

import http.client
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from iac.local.folders import make_empty_folder
from iac.local.ports import LOOPBACK, choose_ports
from iac.local.process import Part, minimal_env, start_part, wait_until_ready

DATABASE = "sinyal"
USER = "sinyal"
READY_SECONDS = 25.0
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class ClickHouseServer:
    """A running front; the fields are `clickhouse_connect.get_client`'s arguments."""

    part: Part
    port: int
    password: str = field(repr=False)
    host: str = LOOPBACK
    username: str = USER
    database: str = DATABASE

    @property
    def secret(self) -> dict[str, str | int | bool]:
        """Return the content of the `clickhouse` secret."""
        return {
            "host": self.host,
            "port": self.port,
            "username": self.username,
            "password": self.password,
            "database": self.database,
            "secure": False,
        }

    def stop(self) -> None:
        self.part.stop()


def start_clickhouse(directory: Path, log_dir: Path | None = None) -> ClickHouseServer:
    """Start an empty engine under `directory`; what an earlier one left there is wiped."""
    home = make_empty_folder(directory / "clickhouse")
    [port] = choose_ports(1)
    server_password = secrets.token_urlsafe(24)
    credentials = {"CLICKHOUSE_USER": USER, "CLICKHOUSE_PASSWORD": server_password}
    options = ["--folder", str(home / "data"), "--port", str(port), "--database", DATABASE]
    part = start_part(
        "clickhouse",
        [sys.executable, "-m", "iac.local.clickhouse", *options],
        log_dir=log_dir or directory / "logs",
        env=minimal_env(home, PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1", **credentials),
        cwd=home,
    )
    wait_until_ready(part, lambda: _answers_ping(port), READY_SECONDS)
    return ClickHouseServer(part, port, server_password)


def _answers_ping(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
