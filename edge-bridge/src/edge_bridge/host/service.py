"""The Windows service's description for its wrapper (WinSW 2 or 3), written by the installer.

`python -m edge_bridge.host.service --python C:\\sinyal\\venv\\Scripts\\python.exe --config C:\\...`
prints the XML. The wrapper starts the edge at boot, stops it with Ctrl-C, which the edge answers by
finishing its step, and starts it again after a crash, later and later.
"""

import argparse
import sys
from collections.abc import Sequence
from html import escape

STOP_WAIT_S = 60
RESTART_DELAYS_S = (5, 30, 120)


def describe_service(python: str, config: str, logs: str) -> str:
    """The wrapper's XML: what to start, how to stop it, when to start it again."""
    restarts = "\n".join(
        f'  <onfailure action="restart" delay="{delay} sec"/>' for delay in RESTART_DELAYS_S
    )
    return f"""<service>
  <id>sinyal-edge</id>
  <name>Sinyal edge</name>
  <description>Market data bridge and trading engine beside the MetaTrader 5 terminals</description>
  <executable>{escape(python)}</executable>
  <arguments>-X utf8 -m edge_bridge run --config "{escape(config)}"</arguments>
  <logpath>{escape(logs)}</logpath>
  <log mode="roll-by-size"><sizeThreshold>10240</sizeThreshold><keepFiles>8</keepFiles></log>
  <startmode>Automatic</startmode>
  <delayedAutoStart>true</delayedAutoStart>
  <stoptimeout>{STOP_WAIT_S} sec</stoptimeout>
  <stopparentprocessfirst>true</stopparentprocessfirst>
{restarts}
  <resetfailure>1 hour</resetfailure>
  <priority>AboveNormal</priority>
</service>
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the description."""
    parser = argparse.ArgumentParser(prog="edge_bridge.host.service", description=__doc__)
    parser.add_argument("--python", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--logs", required=True)
    given = parser.parse_args(arguments)
    sys.stdout.write(describe_service(given.python, given.config, given.logs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
