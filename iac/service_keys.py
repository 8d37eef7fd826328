"""``python -m iac.service_keys ROOM...``: fresh keys for rooms that call other rooms.

Prints the secrets ``service/<room>`` and ``service-keys`` as JSON, to be put into Secrets Manager
by whoever deploys; nothing is stored here. A template cannot derive a public key by itself.
"""

import argparse
import base64
import json
import secrets
import sys

from iac.local.rooms import ROOMS
from kit.service_tokens import derive_public


def make_keys(rooms: list[str]) -> dict[str, dict[str, str]]:
    """The content of each secret by its name below ``sinyal/<stage>/``."""
    seeds = {room: base64.b64encode(secrets.token_bytes(32)).decode() for room in rooms}
    return {
        **{f"service/{room}": {"seed": seed} for room, seed in seeds.items()},
        "service-keys": {room: derive_public(seed) for room, seed in seeds.items()},
    }


def main() -> None:
    """Print fresh keys for the rooms named."""
    parser = argparse.ArgumentParser(description="make keys for room-to-room calls")
    parser.add_argument("rooms", nargs="+", choices=ROOMS)
    sys.stdout.write(json.dumps(make_keys(parser.parse_args().rooms), indent=2) + "\n")


if __name__ == "__main__":
    main()
