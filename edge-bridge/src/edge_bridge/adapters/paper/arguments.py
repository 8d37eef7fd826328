"""Arguments as the module's C code reads them: strict types, 29-unit texts, 32-bit dates."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isfinite
from typing import NamedTuple

TEXT_UNITS_MAX = 29


class ArgumentRefused(Exception):
    """An argument has a type or size the module does not take: error -2."""


class Request(NamedTuple):
    """A trade request; fields and order of the module's TradeRequest."""

    action: int = 0
    magic: int = 0
    order: int = 0
    symbol: str = ""
    volume: float = 0.0
    price: float = 0.0
    stoplimit: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    deviation: int = 0
    type: int = 0
    type_filling: int = 0
    type_time: int = 0
    expiration: int = 0
    comment: str = ""
    position: int = 0
    position_by: int = 0


_KINDS: dict[str, type] = {
    name: type(value) for name, value in Request._field_defaults.items()
}  # fmt: skip


def parse_request(fields: Mapping[str, object]) -> Request:
    """Read a request. Numbers of another type (np.int64, Decimal, int for a price) are refused,
    unknown keys ignored."""
    known: dict[str, object] = {}
    for name, value in fields.items():
        kind = _KINDS.get(name)
        if kind is None:
            continue
        if isinstance(value, kind) and (
            kind is float
            or (-(2**63) <= value < 2**64 if isinstance(value, int) else fits_text(str(value)))
        ):
            known[name] = value
        else:
            raise ArgumentRefused(f'Invalid "{name}" argument')
    return Request(**known)  # type: ignore[arg-type]  # the loop has checked each type


def read_request(given: tuple[object, ...], fields: Mapping[str, object]) -> Request:
    """Read one dict or keywords. A keyword `request` is an unknown field like any other."""
    if not given:
        return parse_request(fields)
    if len(given) > 1 or not isinstance(given[0], dict):
        raise ArgumentRefused("Invalid request argument: one dict")
    return parse_request(given[0])


def fits_text(text: str) -> bool:
    """Whether a symbol or comment fits the terminal's fixed fields (UTF-16 units)."""
    if text.isascii():
        return len(text) <= TEXT_UNITS_MAX
    try:
        return len(text.encode("utf-16-le")) <= 2 * TEXT_UNITS_MAX
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return False


def _fits_integer(value: int) -> bool:
    return -(2**63) <= value < 2**64


def parse_symbol(value: object) -> str:
    """Read a symbol's name."""
    if not isinstance(value, str) or not fits_text(value):
        raise ArgumentRefused("Invalid symbol argument")
    return value


def parse_int(value: object) -> int:
    """Read an int; a bool is one, np.int64 is not."""
    if not isinstance(value, int) or not _fits_integer(value):
        raise ArgumentRefused("Invalid int argument")
    return value


def parse_float(value: object) -> float:
    """Read a float; np.float64 is one, an int is not."""
    if not isinstance(value, float) or not isfinite(value):
        raise ArgumentRefused("Invalid float argument")
    return value


def parse_date(value: object) -> int:
    """Read a date as 32-bit seconds. A naive datetime is local time, as in the module."""
    if isinstance(value, datetime):
        try:
            value = value.timestamp()
        except (ValueError, OverflowError, OSError) as error:  # before the clock began
            raise ArgumentRefused("Invalid date argument") from error
    if not isinstance(value, int | float) or not isfinite(value):
        raise ArgumentRefused("Invalid date argument")
    seconds = int(value)
    if not -(2**31) <= seconds < 2**31:
        raise ArgumentRefused("Invalid date argument")
    return seconds


def take_exactly(given: tuple[object, ...], count: int) -> tuple[object, ...]:
    """Give the arguments of a positional-only function back if their number is right."""
    if len(given) != count:
        raise ArgumentRefused("Invalid number of arguments")
    return given


def parse_filters(
    filters: Mapping[str, object], allowed: Iterable[str]
) -> tuple[str, int | str] | None:
    """Pick the filter that counts: the first of `allowed` that is given; no other is known."""
    names = tuple(allowed)
    if not filters.keys() <= set(names):
        raise ArgumentRefused(f"Invalid arguments: the filters are {', '.join(names)}")
    for name in names:
        if name not in filters:
            continue
        value = filters[name]
        return name, parse_symbol(value) if name == "symbol" else _parse_filter(name, value)
    return None


def _parse_filter(name: str, value: object) -> int | str:
    if name == "group":
        if not isinstance(value, str):
            raise ArgumentRefused("Invalid group argument")
        return value
    return parse_int(value)


def matches_group(name: str, group: str) -> bool:
    """Whether a symbol passes a group filter: comma list, `*` wildcards, `!` excludes; case
    matters; a list of exclusions alone matches nothing."""
    included = False
    for part in group.split(","):
        pattern = part.strip()
        if pattern.startswith("!"):
            if _matches_pattern(name, pattern[1:]):
                return False
        elif _matches_pattern(name, pattern):
            included = True
    return included


def _matches_pattern(name: str, pattern: str) -> bool:
    head, *rest = pattern.split("*")
    if not rest:
        return name == head
    *middle, tail = rest
    if not name.startswith(head) or not name.endswith(tail):
        return False
    if len(name) < len(head) + len(tail):
        return False
    inner = name[len(head) : len(name) - len(tail)]
    for piece in middle:
        at = inner.find(piece)
        if at < 0:
            return False
        inner = inner[at + len(piece) :]
    return True
