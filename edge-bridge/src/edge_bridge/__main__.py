"""`python -m edge_bridge COMMAND`: the edge's commands under one name."""

import sys
from collections.abc import Callable, Sequence

EXIT_USAGE = 2


def _backtest(arguments: Sequence[str]) -> int:
    from edge_bridge.backtest.command import run_command

    return run_command(arguments)


def _replay(arguments: Sequence[str]) -> int:
    from edge_bridge.main import main as run_replay

    return run_replay(arguments)


def _run(arguments: Sequence[str]) -> int:
    from edge_bridge.host.command import run_command

    return run_command(arguments)


COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "run": (_run, "the live edge of a host, as its configuration says"),
    "backtest": (_backtest, "play recorded prices through the engine, with figures and a report"),
    "replay": (_replay, "play a recording against the cloud's queues, as a live edge would"),
}
"""A command imports what it needs when it is called, so that `backtest` asks for no cloud."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        return COMMANDS[given[0]][0](given[1:])
    lines = [f"  {name:<10}{what}\n" for name, (_, what) in COMMANDS.items()]
    out = sys.stdout if given[:1] in (["-h"], ["--help"]) else sys.stderr
    out.write("usage: python -m edge_bridge COMMAND ...; COMMAND --help says more\n")
    out.writelines(lines)
    return 0 if out is sys.stdout else EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
