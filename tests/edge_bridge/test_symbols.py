"""Our names and the broker's: exact pairs first, then the suffix, and never two for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_bridge.bridge.symbols import OTHERS, UNKNOWN_KEPT, SymbolMap
from edge_bridge.errors import SymbolsAmbiguous

NAMES = st.sampled_from(
    ["EURUSD", "XAUUSD", "GOLD", "EURUSD.m", "XAUUSD.m", "GOLD.m", "US30", ".m"]
)


def test_an_exact_pair_wins_over_the_suffix() -> None:
    names = SymbolMap({"XAUUSD": "GOLD"}, ".m")
    assert names.to_broker("XAUUSD") == "GOLD"
    assert names.to_ours("GOLD") == "XAUUSD"
    assert names.to_ours("XAUUSD.m") is None  # that is another instrument of this broker


def test_the_suffix_is_put_on_and_taken_off() -> None:
    names = SymbolMap({}, ".m")
    assert names.to_broker("EURUSD") == "EURUSD.m"
    assert names.to_ours("EURUSD.m") == "EURUSD"
    assert SymbolMap().to_ours("EURUSD") == "EURUSD"


def test_a_name_without_the_suffix_is_unknown_and_counted() -> None:
    names = SymbolMap({}, ".m")
    assert [names.to_ours(name) for name in ("EURUSD", "EURUSD", ".m")] == [None] * 3
    assert names.unknown == {"EURUSD": 2, ".m": 1}


def test_unknown_names_cannot_flood_the_counts() -> None:
    names = SymbolMap({}, ".m")
    for number in range(UNKNOWN_KEPT + 50):
        names.to_ours(f"ODD{number}")
    assert len(names.unknown) == UNKNOWN_KEPT + 1
    assert names.unknown[OTHERS] == 50


def test_two_of_ours_with_one_name_of_theirs_are_refused_by_name() -> None:
    with pytest.raises(SymbolsAmbiguous, match="XAUUSD"):
        SymbolMap({"XAUUSD": "GOLD", "XAUEUR": "GOLD"})


def test_a_name_that_stands_for_another_is_not_made_by_the_suffix() -> None:
    assert SymbolMap({"XAUUSD": "EURUSD.m"}, ".m").to_broker("EURUSD") is None


@given(pairs=st.dictionaries(NAMES, NAMES, max_size=4), suffix=st.sampled_from(["", ".m"]))
def test_there_and_back_is_the_same_name_and_no_two_share_one(
    pairs: dict[str, str], suffix: str
) -> None:
    if len(set(pairs.values())) != len(pairs):
        with pytest.raises(SymbolsAmbiguous):
            SymbolMap(pairs, suffix)
        return
    names = SymbolMap(pairs, suffix)
    ours = ["EURUSD", "XAUUSD", "GOLD", "US30", *pairs]
    theirs = {name: names.to_broker(name) for name in ours}
    known = [name for name in theirs.values() if name is not None]
    assert len(set(known)) == len(known)
    for name, broker in theirs.items():
        assert broker is None or names.to_ours(broker) == name
