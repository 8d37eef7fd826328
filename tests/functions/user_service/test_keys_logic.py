"""API keys, the decisions: how a key looks, and what a role leaves of its scopes; no sockets."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.api_keys import MalformedApiKey, read_api_key
from contracts.ids import uuid7
from contracts.permissions import KEY_SCOPES, ROLE_SCOPES
from contracts.user_service import Role, Scope
from functions.user_service.logic.api_keys import (
    ALPHABET,
    choose_key_id,
    intersect_scopes,
    write_key,
)

STAGES = st.from_regex(r"[a-z][a-z0-9-]{1,20}", fullmatch=True)
ROLES: tuple[Role, ...] = ("owner", "admin", "trader", "viewer")


def is_key(text: str) -> bool:
    try:
        read_api_key(text)
    except MalformedApiKey:
        return False
    return True


@given(STAGES)
def test_a_key_is_known_by_its_beginning_and_says_its_environment(stage: str) -> None:
    text = write_key(stage)
    head, secret, checksum = text.rsplit("_", 2)
    read = read_api_key(text)
    assert (read.stage, read.prefix) == (stage, head)
    assert head == f"sk_{stage}_{head[-8:]}"
    assert (len(secret), len(checksum)) == (43, 6)
    assert set(secret + checksum + head[-8:]) <= set(ALPHABET)


def test_keys_and_their_digests_are_never_the_same() -> None:
    assert len({read_api_key(write_key("test")).digest for _ in range(200)}) == 200


@given(st.data())
def test_any_one_wrong_character_is_refused_without_a_look_up(data: st.DataObject) -> None:
    text = write_key("test")
    where = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(
        st.one_of(st.characters(), st.sampled_from(ALPHABET)).filter(lambda c: c != text[where])
    )
    assert not is_key(text[:where] + other + text[where + 1 :])


@given(st.data())
def test_swapped_neighbours_are_refused(data: st.DataObject) -> None:
    text = write_key("test")
    where = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:where] + text[where + 1] + text[where] + text[where + 2 :]
    assert swapped == text or not is_key(swapped)


@given(st.text(max_size=250) | st.text("sk_testABCabc019-", max_size=120))
def test_any_other_text_is_no_key_and_breaks_nothing(text: str) -> None:
    assert not is_key(text)


@pytest.mark.parametrize("around", ["{} ", " {}", "{}\n", "{}_", "_{}", "{0}{0}", "{}\u0660"])
def test_nothing_may_stand_around_a_key(around: str) -> None:
    assert not is_key(around.format(write_key("test")))


@given(st.sets(st.sampled_from(KEY_SCOPES)), st.sampled_from(ROLES))
def test_a_key_never_does_more_than_it_was_given_nor_than_its_role(
    scopes: set[Scope], role: Role
) -> None:
    left = intersect_scopes(tuple(scopes), role)
    assert set(left) == scopes & set(ROLE_SCOPES[role])
    assert intersect_scopes(left, role) == left


@pytest.mark.parametrize(("before", "after"), list(product(ROLES, ROLES)))
def test_a_lowered_role_never_adds_a_scope(before: Role, after: Role) -> None:
    if set(ROLE_SCOPES[after]) <= set(ROLE_SCOPES[before]):
        was = intersect_scopes(KEY_SCOPES, before)
        assert set(intersect_scopes(was, after)) <= set(was)


def test_a_repeated_idempotency_key_finds_the_same_key_of_the_same_user_only() -> None:
    tenant, user, other = uuid7(), uuid7(), uuid7()
    assert choose_key_id(tenant, user, "k") == choose_key_id(tenant, user, "k")
    assert choose_key_id(tenant, user, "k") != choose_key_id(tenant, other, "k")
    assert choose_key_id(tenant, user, "k") != choose_key_id(other, user, "k")
    assert choose_key_id(tenant, user, None) != choose_key_id(tenant, user, None)
