"""What can go wrong in data_bridge."""

from kit.errors import NotFound, Unprocessable


class SymbolUnknown(NotFound):
    """No tick of this symbol is stored."""

    code, title = "symbol_unknown", "There is no such symbol"


class RangeInvalid(Unprocessable):
    """The time range is empty or too long."""

    code, title = "range_invalid", "The time range is not valid"
