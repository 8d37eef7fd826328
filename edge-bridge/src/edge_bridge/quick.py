"""Values that are made often: frozen to the type checker, plain to the interpreter.

A frozen dataclass sets each field through `object.__setattr__`, which takes six times as long. A
reading of an account makes dozens of values and an order is copied at every step, so these refuse
assignment in the checked source alone, not once more at run time.
"""

from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")


def quick(frozen: type[_T]) -> type[_T]:
    """Let a frozen dataclass with slots set its fields directly. Equality, hash, order of fields
    and `replace` stay as they are."""
    plain = make_dataclass(frozen.__name__, [_copy_field(each) for each in fields(frozen)])  # type: ignore[arg-type]
    frozen.__init__ = plain.__init__  # type: ignore[method-assign, misc]
    del frozen.__setattr__, frozen.__delattr__
    return frozen


def _copy_field(known: Any) -> tuple[str, Any, Any]:
    options = {"init": known.init, "kw_only": known.kw_only}
    if known.default is not MISSING:
        options["default"] = known.default
    if known.default_factory is not MISSING:
        options["default_factory"] = known.default_factory
    return known.name, known.type, field(**options)
