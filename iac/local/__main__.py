"""The local stack's commands: `python -m iac.local up | down | status | serve | demo`."""

import argparse
import sys

from rich.console import Console

from iac.local.deploy import DeploymentFailed
from iac.local.deploy_artifacts import RoomMissing
from iac.local.launcher import LauncherWillNotStop, StackAlreadyRunning, StackNotRunning
from iac.local.localstack import LocalStackUnavailable
from iac.local.ports import NoFreePort
from iac.local.process import PartFailed
from iac.local.rooms import ROOMS
from iac.local.serve import PortTaken, run_serve
from iac.local.up import run_down, run_status, run_up

# What a user can do something about: shown as one message, without a traceback.
SHOWN_ERRORS = (
    DeploymentFailed,
    LauncherWillNotStop,
    LocalStackUnavailable,
    NoFreePort,
    PartFailed,
    PortTaken,
    RoomMissing,
    StackAlreadyRunning,
    StackNotRunning,
)


def build_parser() -> argparse.ArgumentParser:
    """Declare the commands."""
    parser = argparse.ArgumentParser(prog="python -m iac.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a fresh stack and keep it until Ctrl-C")
    up.add_argument("--aws", choices=("ministack", "localstack"), default="ministack")
    up.add_argument("--parts-only", action="store_true", help="no migrations, no deployment")
    commands.add_parser("down", help="stop the running stack")
    commands.add_parser("status", help="say where the running stack is")
    serve = commands.add_parser("serve", help="run rooms' HTTP doors alone on their ports")
    serve.add_argument("--room", action="append", choices=ROOMS, default=[])
    commands.add_parser("demo", help="play a trading day through the stack", add_help=False)
    return parser


def run_command(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the command that was asked for; return the exit code."""
    if arguments.command == "up":
        run_up(arguments.aws, arguments.parts_only)
    elif arguments.command == "down":
        run_down()
    elif arguments.command == "status":
        run_status()
    elif arguments.command == "serve":
        run_serve(arguments.room)
    else:
        from iac.local.demo.run import main as run_demo

        sys.argv = ["python -m iac.local demo", *rest]
        return run_demo()
    return 0


def main() -> int:
    """Parse the command line, run, and show errors a user can act on as plain messages."""
    parser = build_parser()
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command != "demo":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        return run_command(arguments, rest)
    except SHOWN_ERRORS as error:
        Console(stderr=True).print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
