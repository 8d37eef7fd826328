"""The MetaTrader5 module's structs and constants, read from its description beside this file."""

import json
from pathlib import Path
from typing import Any

_API: dict[str, Any] = json.loads(
    Path(__file__).with_name("metatrader5_api.json").read_text(encoding="utf-8")
)

STRUCTS: dict[str, dict[str, str]] = {
    name: dict(field.split(":") for field in fields) for name, fields in _API["structs"].items()
}
"""Struct -> field -> type name (int, float, bool, str, obj), in order."""
FUNCTIONS: dict[str, str] = _API["functions"]
"""Function -> call convention: no-args, positional-only or varargs+keywords."""
CONSTANTS: dict[str, int] = _API["constants"]
RATES_DTYPE: list[tuple[str, str]] = [(name, kind) for name, kind in _API["rates_dtype"]]
TICKS_DTYPE: list[tuple[str, str]] = [(name, kind) for name, kind in _API["ticks_dtype"]]
RETCODE_NAMES: dict[int, str] = {
    value: name.removeprefix("TRADE_RETCODE_")
    for name, value in CONSTANTS.items()
    if name.startswith("TRADE_RETCODE_")
}
