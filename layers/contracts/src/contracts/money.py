"""Money: integer rupiah. There is no smaller unit in use, so there is nothing to round but tax."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Annotated

from pydantic import Field, StrictInt

Rupiah = Annotated[StrictInt, Field(ge=-(10**15), le=10**15)]
"""A whole number of rupiah; the bound keeps sums inside PostgreSQL's bigint."""

NonNegativeRupiah = Annotated[StrictInt, Field(ge=0, le=10**15)]


def round_rupiah(amount: Decimal) -> int:
    """Round half up to whole rupiah, as Indonesian tax rules want it."""
    with localcontext() as context:
        context.prec = 40
        return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def format_rupiah(amount: int) -> str:
    """Write an amount as Indonesians do: ``Rp 1.234.567``."""
    sign = "-" if amount < 0 else ""
    return f"{sign}Rp {abs(amount):,}".replace(",", ".")
