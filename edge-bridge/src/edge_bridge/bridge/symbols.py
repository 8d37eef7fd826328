"""Our symbol names and a broker's: an exact pair wins, else the account's suffix explains a name.

Names cross as they are told by AccountLinked: `symbols` (ours -> the broker's) and `symbol_suffix`.
No broker's name stands for two of ours, and none of ours for two of the broker's.
"""

from collections import Counter
from collections.abc import Mapping

from edge_bridge.errors import SymbolsAmbiguous

UNKNOWN_KEPT = 100
OTHERS = "*"


class SymbolMap:
    """Names of one broker."""

    def __init__(self, symbols: Mapping[str, str] | None = None, suffix: str = "") -> None:
        """Raise SymbolsAmbiguous when two of our names are given one broker's name."""
        self._theirs = dict(symbols or {})
        self._ours = {theirs: ours for ours, theirs in self._theirs.items()}
        self._suffix = suffix
        self.unknown: Counter[str] = Counter()
        """Names that are none of ours, how often each; past UNKNOWN_KEPT names all under OTHERS."""
        if len(self._ours) != len(self._theirs):
            twice = sorted(
                ours for ours, theirs in self._theirs.items() if self._ours[theirs] != ours
            )
            raise SymbolsAmbiguous(
                f"{', '.join(twice)}: another of our symbols has the same broker's name; "
                "give each its own in the account's symbols"
            )

    def to_broker(self, ours: str) -> str | None:
        """The broker's name of a symbol; None when that name already stands for another."""
        theirs = self._theirs.get(ours)
        if theirs is not None:
            return theirs
        theirs = ours + self._suffix
        return None if theirs in self._ours else theirs

    def to_ours(self, theirs: str) -> str | None:
        """Our name of a broker's symbol; None, and counted, when it is none of ours."""
        ours = self._ours.get(theirs)
        if ours is None:
            stem = theirs.removesuffix(self._suffix)
            if stem and stem + self._suffix == theirs and stem not in self._theirs:
                ours = stem
        if ours is None:
            name = theirs if len(self.unknown) < UNKNOWN_KEPT else OTHERS
            self.unknown[theirs if theirs in self.unknown else name] += 1
        return ours
