"""`serve` runs a room's door alone, against the running stack."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from iac.local.launcher import hold_launcher_lock
from iac.local.ports import choose_ports
from iac.local.room_env import make_room_env
from iac.local.rooms import PORTS, ROOMS
from iac.local.stack import start_stack

REPOSITORY = Path(__file__).parents[2]
SERVE = """
import sys
from pathlib import Path
from iac.local import rooms, serve
rooms.PORTS["database_service"] = int(sys.argv[2])
serve.run_serve(["database_service"], Path(sys.argv[1]))
"""


def test_every_room_has_a_port_of_its_own() -> None:
    assert len(ROOMS) == 15
    assert len(set(PORTS.values())) == 15
    rooms = {folder.parent.name for folder in (REPOSITORY / "functions").glob("*/__init__.py")}
    assert rooms <= set(ROOMS)


def test_a_served_room_answers_on_its_port_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    [port] = choose_ports(1)
    with hold_launcher_lock(tmp_path):
        stack = start_stack(tmp_path)
        try:
            stack.write_description()
            environment = make_room_env("database_service", stack.aws_endpoint)
            assert environment["AWS_ENDPOINT_URL"] == stack.aws_endpoint
            server = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(tmp_path), str(port)],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                text=True,
            )
            assert server.stdout is not None
            assert "database_service" in server.stdout.readline()
            url = f"http://127.0.0.1:{port}/absent"
            try:
                urllib.request.urlopen(url, timeout=10)
                status = 200
            except urllib.error.HTTPError as error:
                status = error.code
            assert status == 404
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=20)
            assert server.returncode == 0
        finally:
            stack.stop()
