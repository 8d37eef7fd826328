"""Result structs that behave like the module's PyStructSequence.

A struct is a tuple with named fields and a shallow `_asdict()`; it has no `_fields` and cannot be
pickled, so that code which relies on more than the real module gives fails here too.
"""

from operator import itemgetter
from typing import Any, ClassVar, NoReturn

from edge_bridge.adapters.api import STRUCTS

_ZEROS: dict[str, object] = {"int": 0, "float": 0.0, "bool": False, "str": "", "obj": None}


class Struct(tuple[Any, ...]):
    """A fixed sequence of named fields, built from a sequence of exactly its length."""

    __slots__ = ()
    names: ClassVar[tuple[str, ...]] = ()
    blank: ClassVar[dict[str, object]] = {}
    """Every field, zero of its type."""

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self.names, self, strict=True))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    @classmethod
    def of(cls, values: dict[str, object]) -> "Struct":
        """Build from known fields; the others are zero of their type."""
        row = cls.blank | values
        assert len(row) == len(cls.blank), f"{cls.__name__} lacks one of {values.keys()}"
        return cls(row.values())


def _make_struct(name: str) -> type[Struct]:
    fields = STRUCTS[name]
    namespace: dict[str, object] = {
        field: property(itemgetter(place)) for place, field in enumerate(fields)
    }
    namespace |= {
        "__slots__": (),
        "__module__": __name__,
        "names": tuple(fields),
        "blank": {field: _ZEROS[kind] for field, kind in fields.items()},
        "n_fields": len(fields),
        "n_sequence_fields": len(fields),
        "n_unnamed_fields": 0,
    }
    return type(name, (Struct,), namespace)


Tick = _make_struct("Tick")
OrderSendResult = _make_struct("OrderSendResult")
OrderCheckResult = _make_struct("OrderCheckResult")
TradeRequest = _make_struct("TradeRequest")
TradePosition = _make_struct("TradePosition")
TradeOrder = _make_struct("TradeOrder")
TradeDeal = _make_struct("TradeDeal")
BookInfo = _make_struct("BookInfo")
AccountInfo = _make_struct("AccountInfo")
SymbolInfo = _make_struct("SymbolInfo")
TerminalInfo = _make_struct("TerminalInfo")
