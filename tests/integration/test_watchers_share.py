"""Watchers share the hosts through the database: none is left alone, and none is followed twice for long (I15)."""

import socket
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from reconciler.core.shares import LAPSE_SECONDS
from reconciler.models import Host, LiveWatcher
from reconciler.watch.record import Record
from reconciler.watch.roster import HANDOVER_SECONDS, Roster
from reconciler.watch.stream import StreamStatus
from reconciler.watch.supervisor import BEAT_SECONDS, REFRESH_SECONDS

pytestmark = pytest.mark.django_db

HOSTS = {f"host-{number}" for number in range(6)}


@pytest.fixture(autouse=True)
def hosts(db: None) -> None:
    Host.objects.all().delete()
    Host.objects.bulk_create(Host(name=name) for name in sorted(HOSTS))


def owners() -> dict[str, str]:
    return dict(Host.objects.values_list("name", "watcher"))


def turn(roster: Roster, now: float) -> set[str]:
    """Let a watcher take its turn, and return which hosts it follows then."""
    roster.beat(now)
    return roster.settle(owners(), now)


def turns(now: float, *rosters: Roster) -> list[set[str]]:
    """Let watchers take turns for as long as a takeover may last, and return which hosts each follows in the end."""
    found = [turn(each, now) for each in rosters]
    for _ in range(15):
        now += 1
        found = [turn(each, now) for each in rosters]
    return found


def silence(roster: Roster) -> None:
    """Take a watcher for dead, as another one does."""
    LiveWatcher.objects.filter(name=roster.me).delete()


def test_the_only_watcher_takes_all_hosts_in_its_first_turn() -> None:
    assert turn(Roster(()), 0) == HOSTS


def test_two_watchers_share_the_hosts() -> None:
    first, second = turns(0, Roster(()), Roster(()))
    assert (len(first), len(second), first | second) == (3, 3, HOSTS)


def test_a_host_that_is_handed_over_is_followed_until_its_new_watcher_has_begun() -> None:
    ann, bob = Roster(()), Roster(())
    turn(ann, 0)
    turn(bob, 1)
    assert turn(ann, 2) == HOSTS
    taken = turn(bob, 2 + REFRESH_SECONDS)
    assert len(taken) == 3
    assert turn(ann, 2 + HANDOVER_SECONDS) == HOSTS - taken
    assert HANDOVER_SECONDS > REFRESH_SECONDS + BEAT_SECONDS


def test_the_hosts_of_a_watcher_that_died_are_taken_within_fifteen_seconds() -> None:
    ann, bob = Roster(()), Roster(())
    turns(0, ann, bob)
    turn(ann, 20)
    assert turns(20, bob) == [HOSTS]
    assert set(owners().values()) == {bob.me}
    assert LAPSE_SECONDS + 2 * BEAT_SECONDS + 1 < 15


def test_the_hosts_of_a_watcher_that_ends_are_taken_at_the_next_beat() -> None:
    ann, bob = Roster(()), Roster(())
    turns(0, ann, bob)
    ann.leave()
    assert not bob.beat(16)
    assert bob.settle(owners(), 16) == HOSTS


def test_a_watcher_that_was_taken_for_dead_follows_nothing_when_it_wakes() -> None:
    ann, bob = Roster(()), Roster(())
    turns(0, ann, bob)
    before = ann.me
    turns(20, bob)
    assert not ann.beat(40)
    assert ann.me != before
    assert ann.settle(owners(), 40) == set()


def test_a_watcher_that_was_away_while_nobody_missed_it_goes_on() -> None:
    ann = Roster(())
    turn(ann, 0)
    assert ann.beat(1_000)
    assert ann.settle(owners(), 1_000) == HOSTS


def test_a_watcher_that_was_away_takes_nobody_for_dead() -> None:
    ann, bob = Roster(()), Roster(())
    shared = turns(0, ann, bob)
    assert [turn(ann, 1_000), turn(bob, 1_000)] == shared


def test_a_watcher_that_speaks_at_the_last_moment_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    ann, bob = Roster(()), Roster(())
    turns(0, ann, bob)
    bury = Roster._bury

    def bury_too_late(self: Roster, name: str, beats: int) -> None:
        LiveWatcher.objects.filter(name=name).update(beats=F("beats") + 1)
        bury(self, name, beats)

    monkeypatch.setattr(Roster, "_bury", bury_too_late)
    followed = turns(20, bob)
    assert ann.beat(40)
    assert len(followed[0]) == 3


def test_a_host_that_another_watcher_has_just_taken_is_not_taken() -> None:
    ann, bob = Roster(()), Roster(())
    ann.beat(0)
    as_read = owners()
    taken = turn(bob, 0)
    assert taken
    assert ann.settle(as_read, 0) == HOSTS - taken


def test_a_host_that_a_watcher_is_told_to_watch_becomes_its_own() -> None:
    ann, bob = Roster(()), Roster(["host-2"])
    turn(ann, 0)
    assert turns(1, ann, bob) == [HOSTS - {"host-2"}, {"host-2"}]


def test_a_watcher_that_has_lost_a_host_writes_nothing_about_it() -> None:
    ann, bob = Roster(()), Roster(())
    turn(ann, 0)
    ann.leave()
    turn(bob, 1)
    since = timezone.now()
    Host.objects.update(watching_since=since)
    record = Record()
    late = StreamStatus(watching_since=since - timedelta(hours=1), events_seen=7)
    record.write(ann.me, {"host-1": late}, {"host-1": 3}, since)
    record.end(ann.me, ["host-1"])
    host = Host.objects.get(name="host-1")
    assert (host.watching_since, host.watcher_alive_at, host.events_seen, host.passes_asked) == (since, None, 0, 0)


def test_a_host_that_is_taken_counts_as_unwatched_until_its_events_are_followed() -> None:
    ann, bob = Roster(()), Roster(())
    turn(ann, 0)
    Host.objects.update(watching_since=timezone.now())
    silence(ann)
    turn(bob, 0)
    assert not Host.objects.filter(watching_since__isnull=False).exists()


def test_the_name_of_a_watcher_says_where_it_runs_and_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "m" * 300)
    ann, bob = Roster(()), Roster(())
    ann.beat(0)
    bob.beat(0)
    assert ann.me != bob.me
    assert ann.me.startswith("m" * 64)
    assert len(ann.me) <= 128
