"""`python -m edge_bridge.conformance --path ... --login ... --server ... --symbol EURUSD`: run the
checks on a real terminal. The password is asked for, or read from MT5_PASSWORD. Demo accounts only.
"""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Sequence

from edge_bridge.adapters.clock import BrokerClock
from edge_bridge.adapters.credentials import Credentials
from edge_bridge.adapters.mt5.terminal import MetaTrader5Missing, open_terminal
from edge_bridge.conformance.bench import Bench, NotConforming
from edge_bridge.conformance.checks import CHECKS
from edge_bridge.ports import SymbolUnknown, TerminalUnavailable, WrongTerminal

EXIT_CONFORMS = 0
EXIT_DIFFERS = 1
EXIT_CANNOT = 2


def run_checks(bench: Bench, say: Callable[[str], None]) -> int:
    """Run every check in order, say what became of each; return how many differ."""
    differing = 0
    for number, check in enumerate(CHECKS, 1):
        title = check.__name__.replace("_", " ")
        try:
            check(bench)
            verdict = "ok"
        except (NotConforming, TerminalUnavailable, WrongTerminal, SymbolUnknown) as error:
            differing += 1
            verdict = f"DIFFERS: {error}"
        say(f"{number:2}/{len(CHECKS)} {title}: {verdict}")
    return differing


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the real terminal; return 0 when it conforms."""
    parser = argparse.ArgumentParser(prog="edge_bridge.conformance", description=__doc__)
    parser.add_argument("--path", required=True, help="terminal64.exe of a terminal of its own")
    parser.add_argument("--login", required=True, type=int)
    parser.add_argument("--server", required=True)
    parser.add_argument("--symbol", default="EURUSD", help="as the broker writes it")
    parser.add_argument("--zone", default="America/New_York", help="of the broker's clock")
    parser.add_argument("--ahead-hours", type=int, default=7)
    given = parser.parse_args(arguments)
    password = os.environ.get("MT5_PASSWORD") or getpass.getpass("password of the demo account: ")
    credentials = Credentials(given.path, given.login, password, given.server)
    clock = BrokerClock(given.zone, given.ahead_hours)
    try:
        bench = Bench(lambda: open_terminal(credentials, clock), given.symbol)
        account = bench.terminal.connect()
    except (MetaTrader5Missing, TerminalUnavailable, WrongTerminal) as error:
        print(f"cannot check: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_CANNOT
    if not account.demo:
        print("cannot check: this account holds real money", file=sys.stderr)  # noqa: T201
        return EXIT_CANNOT
    try:
        differing = run_checks(bench, print)  # the table is for the person who started it
    finally:
        bench.sweep()
        bench.terminal.disconnect()
    return EXIT_DIFFERS if differing else EXIT_CONFORMS


if __name__ == "__main__":
    sys.exit(main())
