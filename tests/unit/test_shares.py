"""Watchers share the hosts: fairly, moving few, and so that no host is left alone (I15)."""

from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.shares import LAPSE_SECONDS, Heard, fair_shares

NAMES = st.sampled_from(["", "ann", "bob", "cid", "dan", "gone"])
LIVING = st.sets(st.sampled_from(["ann", "bob", "cid", "dan"]), min_size=1)
HOSTS = st.dictionaries(st.integers(0, 30).map("host-{}".format), NAMES)


def sharing(*names: str) -> dict[str, frozenset[str]]:
    """Return watchers that were told no host, and share all."""
    return {name: frozenset() for name in names}


def sizes(shares: Mapping[str, str], names: set[str]) -> list[int]:
    counted = Counter(shares.values())
    return [counted[name] for name in names]


@given(HOSTS, LIVING)
def test_every_host_has_a_watcher_that_lives(owners: dict[str, str], living: set[str]) -> None:
    shares = fair_shares(owners, sharing(*living))
    assert shares.keys() == owners.keys()
    assert set(shares.values()) <= living


@given(HOSTS, LIVING)
def test_shares_differ_by_one_at_most(owners: dict[str, str], living: set[str]) -> None:
    counts = sizes(fair_shares(owners, sharing(*living)), living)
    assert max(counts) - min(counts) <= 1


@given(HOSTS, LIVING)
def test_a_host_leaves_a_living_watcher_only_if_that_one_has_too_many(owners: dict[str, str], living: set[str]) -> None:
    shares = fair_shares(owners, sharing(*living))
    fair = -(-len(owners) // len(living))
    for name, count in Counter(owner for owner in owners.values() if owner in living).items():
        kept = sum(shares[host] == name for host, owner in owners.items() if owner == name)
        assert kept == count or (kept < count and kept >= fair - 1)


@given(HOSTS, LIVING)
def test_shares_that_are_fair_stay(owners: dict[str, str], living: set[str]) -> None:
    shares = fair_shares(owners, sharing(*living))
    assert fair_shares(shares, sharing(*sorted(living, reverse=True))) == shares


@given(HOSTS, LIVING, st.randoms())
def test_watchers_that_act_one_after_the_other_come_to_fair_shares_in_any_order(
    owners: dict[str, str], living: set[str], random: Random
) -> None:
    """Each takes what nobody living has, and hands over what it has too much of, as it sees the hosts in its turn."""
    hosts = dict(owners)
    for _ in range(4):
        turns = sorted(living)
        random.shuffle(turns)
        for me in turns:
            for host, name in fair_shares(hosts, sharing(*living)).items():
                is_free = hosts[host] not in living
                if (is_free and name == me) or hosts[host] == me:
                    hosts[host] = name
    assert set(hosts.values()) <= living
    assert max(sizes(hosts, living)) - min(sizes(hosts, living)) <= 1


def test_a_new_watcher_gets_half_of_what_the_only_one_had() -> None:
    owners = dict.fromkeys("abcd", "ann")
    assert Counter(fair_shares(owners, sharing("ann", "bob")).values()) == {"ann": 2, "bob": 2}


def test_a_host_that_a_watcher_was_told_to_follow_is_its_own() -> None:
    watchers = sharing("ann", "bob") | {"cid": frozenset("a")}
    assert fair_shares({"a": "ann", "b": "", "c": ""}, watchers) == {"a": "cid", "b": "ann", "c": "bob"}


def test_a_host_that_nobody_was_told_to_follow_is_followed_by_nobody() -> None:
    assert fair_shares({"a": "", "b": ""}, {"cid": frozenset("a")}) == {"a": "cid"}


def test_without_watchers_nothing_is_shared() -> None:
    assert fair_shares({"a": "gone"}, {}) == {}


def heard(*readings: tuple[float, dict[str, int]]) -> Heard:
    """Return what is known after counts were read at these moments."""
    found = Heard()
    for at, beats in readings:
        found = found.hear(beats, at)
    return found


def test_a_watcher_whose_count_stands_still_is_taken_for_dead() -> None:
    found = heard(*((at, {"ann": int(at), "bob": min(int(at), 2)}) for at in map(float, range(20))))
    assert found.silent(2 + LAPSE_SECONDS - 0.1) == frozenset()
    assert found.silent(2 + LAPSE_SECONDS) == {"bob"}


def test_a_count_that_goes_back_is_a_sign_of_life() -> None:
    assert not heard((0, {"ann": 9}), (3, {"ann": 9}), (6, {"ann": 1})).silent(LAPSE_SECONDS + 1)


def test_a_watcher_that_has_left_is_forgotten() -> None:
    assert not heard((0, {"ann": 1}), (3, {})).silent(100)


@pytest.mark.parametrize("away", [LAPSE_SECONDS / 2 + 0.1, 10_000])
def test_whoever_was_away_waits_for_all_others_anew(away: float) -> None:
    """It was stopped, or the database was down for all: their silence says nothing."""
    found = heard((0, {"ann": 1}), (away, {"ann": 1}))
    assert not found.silent(away + LAPSE_SECONDS - 0.1)
    assert found.silent(away + LAPSE_SECONDS) == {"ann"}
