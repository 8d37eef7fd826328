"""What waits to be sent, measured and bounded: the disk queue may neither fill the disk nor lose.

The bound is kept by not taking ticks any more (the terminal keeps them, and the gap is filled
afterwards); a share of it is left to the bus, so that what became of an order always fits.
"""

from typing import NamedTuple


class WrittenMessage(NamedTuple):
    """An envelope that is written already."""

    event_id: str
    source: str
    detail_type: str
    body: str
