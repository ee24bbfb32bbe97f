"""The safeguard (I14): what is held back, until when, and what never is."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue
from reconciler.core.observation import Observation
from reconciler.core.plan import Kind, Plan, make_plan
from reconciler.core.safeguard import (
    OUTDATED,
    Evidence,
    Held,
    Identity,
    Limits,
    Memory,
    is_present,
    safeguard,
    withhold_sweep,
)
from tests.builders import cid, container, row, workload

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
WINDOW = timedelta(seconds=5)
LIMITS = Limits(share=0.5, least=5, window=WINDOW)
NAME = "THE:ENGINE"
SILENT = Identity(name=None, silence="sent nothing for 10 s")


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def names(count: int, start: int = 0) -> list[str]:
    return [f"c{number}" for number in range(start, start + count)]


def rows(count: int) -> list[Row]:
    return [row(f"shop:{name}", name) for name in names(count)]


def listed(*present: str, state: str = "running") -> list[Observation]:
    return [container(name, workload("shop", role=name), state=state) for name in present]


def plan_of(before: list[Row], containers: list[Observation], *, names_all: bool = True) -> Plan:
    managed, skips = claim_all(containers)
    sightings, _ = dispatch_all(managed, Catalogue(), "local")
    ids = frozenset(each.container_id for each in containers) if names_all else None
    return make_plan(before, sightings, skips, ids, {})


class World:
    """A host whose rows follow what is let go, looked at when the test says so; time is virtual."""

    def __init__(self, before: list[Row]) -> None:
        self.rows = before
        self.memory = Memory()
        self.recorded: str | None = NAME
        self.now = AT

    def look(
        self,
        *present: str,
        after: float = 0,
        takes: float = 0,
        engine: str | Identity = NAME,
        names_all: bool = True,
    ) -> list[str]:
        """List these containers, `after` seconds from the end of the last listing; return the rows let go."""
        begun = self.now + seconds(after)
        self.now = begun + seconds(takes)
        containers = listed(*present)
        self.verdict = safeguard(
            plan_of(self.rows, containers, names_all=names_all),
            Evidence(
                rows=self.rows,
                memory=self.memory,
                begun=begun,
                ended=self.now,
                recorded=self.recorded,
                identity=engine if isinstance(engine, Identity) else Identity(name=engine),
                partial=None if names_all else frozenset(each.container_id for each in containers),
            ),
            LIMITS,
        )
        self.memory, self.recorded = self.verdict.memory, self.verdict.engine_id
        gone = {change.after.id: change.after for change in self.verdict.plan.sweep}
        self.rows = [gone.get(each.id, each) for each in self.rows]
        return sorted(gone)

    def held(self) -> set[str]:
        """Return the names of the containers that are held back."""
        by_id = {cid(name): name for name in names(200)}
        return {by_id[container_id] for held in self.memory.held for container_id in held.containers}


def world(count: int) -> World:
    return World(rows(count))


# A mass needs two listings


def test_an_empty_listing_lets_nothing_go_at_first() -> None:
    """I14."""
    host = world(50)
    assert host.look(takes=2) == []
    held = Held(since=AT + seconds(2), engine_id=NAME, containers=frozenset(map(cid, names(50))))
    assert host.memory == Memory(held=(held,), reason="50 of 50 present rows would go missing")


def test_a_second_listing_that_agrees_lets_them_go() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert len(host.look(after=5)) == 50
    assert (host.held(), host.memory.reason) == (set(), "")


@pytest.mark.parametrize(
    ("present", "gone", "is_held"),
    [(10, 5, False), (10, 6, True), (4, 4, False), (5, 5, True), (9, 4, False), (9, 5, True), (100, 50, False)],
)
def test_a_mass_is_more_than_half_and_at_least_five(present: int, gone: int, is_held: bool) -> None:
    """I14."""
    host = world(present)
    assert len(host.look(*names(present - gone))) == (0 if is_held else gone)
    assert len(host.held()) == (gone if is_held else 0)


def test_rows_that_were_gone_long_before_count_for_nothing() -> None:
    """I14."""
    before = [row(f"shop:old{number}", f"old{number}", state="missing") for number in range(20)]
    host = World([*rows(6), *before])
    assert host.look() == []


def test_what_a_listing_holds_is_applied_while_the_host_is_held() -> None:
    """I14."""
    containers = listed("c0", state="paused") + listed("new")
    evidence = Evidence(rows=rows(50), memory=Memory(), begun=AT, ended=AT, recorded=NAME, identity=Identity(name=NAME))
    verdict = safeguard(plan_of(rows(50), containers), evidence, LIMITS)
    assert str(verdict.plan) == (
        f"update shop:c0: state running → paused\ncreate shop:new: container {cid('new')[:12]} (new) is running"
    )


def test_a_plan_that_lets_nothing_go_is_left_as_it_is() -> None:
    host = world(3)
    assert (host.look(*names(3)), host.verdict.memory) == ([], Memory())


def test_present_rows_are_those_whose_container_was_there() -> None:
    candidates = [row("a", "a"), row("b"), row("c", "c", state="missing"), row("d", "d", state="failed")]
    assert [each.id for each in candidates if is_present(each)] == ["a", "d"]


# A mass is counted over a window


def test_listings_that_each_lack_a_bit_below_the_share_are_a_mass_together() -> None:
    """I14: the second half of a host is held, however small the steps."""
    host = world(100)
    let_go = [len(host.look(*names(left), after=0.1)) for left in (50, 25, 13, 7, 3, 1, 0)]
    assert let_go == [50, 0, 0, 0, 0, 0, 0]
    assert host.memory.reason == "100 of 100 present rows would go missing within 5 s"


def test_containers_that_go_one_by_one_are_a_mass_when_there_are_enough() -> None:
    """I14."""
    host = world(10)
    assert [len(host.look(*names(left), after=0.01)) for left in range(9, -1, -1)] == [1] * 5 + [0] * 5
    assert host.held() == set(names(5))


def test_what_went_missing_longer_ago_than_the_window_counts_no_more() -> None:
    """I14."""
    host = world(100)
    assert len(host.look(*names(60), takes=3)) == 40
    assert len(host.look(*names(30), after=5)) == 30


def test_what_went_missing_counts_from_the_end_of_its_listing_to_the_beginning_of_the_next() -> None:
    """I14."""
    host = world(100)
    host.look(*names(60), takes=60)
    assert host.look(*names(30), after=4.999, takes=60) == []


def test_a_mass_that_was_confirmed_counts_like_any_other_for_a_window() -> None:
    """I14."""
    host = world(100)
    host.look(*names(40))
    assert len(host.look(*names(40), after=5)) == 60
    assert host.look(*names(39), after=1) == []
    assert host.look(*names(39), after=5) == ["shop:c39"]


def test_rows_that_have_another_container_by_now_count_no_more() -> None:
    """I14: services that are made anew one after the other are no mass."""
    host = world(8)
    for number in range(8):
        name = f"c{number}"
        others = [f"{name}-new" for name in names(number)] + names(7 - number, start=number + 1)
        assert host.look(*others, after=0.1) == [f"shop:{name}"]
        host.rows = [row(f"shop:{name}", f"{name}-new") if each.id == f"shop:{name}" else each for each in host.rows]


def test_rows_that_were_deleted_after_they_went_missing_still_count() -> None:
    """I14: a deployer that clears up at once does not hide a mass."""
    host = world(100)
    host.look(*names(50))
    host.rows = [each for each in host.rows if is_present(each)]
    assert host.look(*names(25), after=0.1) == []


# From the end of the first listing to the beginning of the one that confirms it


def test_a_second_listing_that_begins_too_soon_after_the_first_confirms_nothing() -> None:
    """I14."""
    host = world(50)
    host.look(takes=60)
    first = host.memory
    assert (host.look(after=4.999, takes=60), host.memory) == ([], first)


def test_a_hold_stands_until_its_time_however_the_next_listings_look() -> None:
    """I14: a daemon that is still loading its containers loses nobody."""
    host = world(100)
    assert [host.look(*names(count), after=0.05) for count in (0, 55, 80, 100)] == [[], [], [], []]
    assert (host.held(), host.memory.reason) == (set(), "")


def test_what_of_a_mass_is_still_lacking_when_it_is_no_mass_any_more_goes_missing_in_time() -> None:
    """I14."""
    host = world(100)
    host.look()
    assert host.look(*names(99), after=4) == []
    assert host.memory.reason == "100 of 100 present rows would go missing"
    assert host.look(*names(99), after=1) == ["shop:c99"]


def test_only_what_both_listings_lack_goes_missing() -> None:
    """I14."""
    host = world(10)
    host.look(*names(4))
    assert host.look(*names(2, start=8), after=5) == [f"shop:c{number}" for number in (4, 5, 6, 7)]
    assert host.held() == set(names(4))


def test_a_container_that_came_back_has_to_be_lacking_twice_anew() -> None:
    """I14."""
    host = world(10)
    host.look()
    host.look("c0", after=1)
    assert "shop:c0" not in host.look(after=4)
    assert host.held() == {"c0"}
    assert host.look(after=5) == ["shop:c0"]


def test_each_container_waits_from_the_first_listing_that_lacked_it() -> None:
    """I14: a host that loses containers all the time does not put off those that were lacking first."""
    host = world(10)
    host.look(*names(4))
    host.look(*names(3), after=3)
    assert host.look(*names(3), after=2) == [f"shop:c{number}" for number in range(4, 10)]
    assert host.look(*names(3), after=3) == ["shop:c3"]


def test_a_container_bound_to_a_row_meanwhile_was_never_lacking() -> None:
    """I14: containers are held, not rows; a row that is bound anew is another case."""
    host = world(6)
    host.look()
    host.rows = [row(each.id, f"{each.id}-new") for each in host.rows]
    assert host.look(after=5) == []


def test_a_listing_of_long_ago_is_no_first_of_two() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert host.look(after=OUTDATED.total_seconds() + 1) == []
    assert len(host.look(after=5)) == 50


def test_a_clock_that_is_set_back_delays_by_no_more_than_a_window() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert host.look(after=-86_400) == []
    assert len(host.look(after=5)) == 50


def test_a_clock_that_is_set_back_keeps_no_old_sweep_in_the_window() -> None:
    """I14."""
    host = world(100)
    host.look(*names(50))
    host.look(*names(50), after=-86_400)
    assert len(host.look(*names(25), after=5)) == 25


def test_another_look_is_asked_for_by_each_listing_that_lacks_something_for_the_first_time() -> None:
    """I14."""
    host = world(10)
    asked = []
    for present in (names(4), names(4), names(3), names(4)):
        host.look(*present, after=0.1)
        asked.append(host.verdict.confirm_after)
    assert asked == [WINDOW, None, WINDOW, None]


# The same Engine's


def test_another_engine_lets_not_even_one_row_go() -> None:
    """I14."""
    host = world(50)
    assert host.look(*names(49), engine="B") == []
    assert (host.memory.reason, host.recorded) == (f"the Engine is B, and was {NAME}", NAME)


def test_another_engine_is_believed_and_recorded_when_two_listings_agree() -> None:
    """I14."""
    host = world(3)
    host.look(engine="B")
    assert len(host.look(engine="B", after=5)) == 3
    assert host.recorded == "B"


def test_another_engine_is_not_recorded_while_something_is_held() -> None:
    """I14."""
    host = world(3)
    host.look("c0", engine="B")
    assert host.look(engine="B", after=5) == ["shop:c1", "shop:c2"]
    assert host.recorded == NAME


def test_the_right_engine_back_again_loses_nothing() -> None:
    """I14."""
    host = world(50)
    host.look(engine="B")
    assert (host.look(*names(50), after=5), host.held()) == ([], set())


@pytest.mark.parametrize(("first", "second"), [(NAME, "B"), ("B", NAME), (NAME, ""), ("", NAME)])
def test_the_second_listing_has_to_be_the_same_engines(first: str, second: str) -> None:
    """I14."""
    host = world(50)
    host.look(engine=first)
    assert host.look(engine=second, after=5) == []
    assert [(held.since, held.engine_id) for held in host.memory.held] == [(host.now, second)]


def test_two_listings_of_engines_that_do_not_say_who_they_are_confirm_nothing() -> None:
    """I14: silence matches nothing."""
    host = world(50)
    host.look(engine=SILENT)
    assert host.look(engine=SILENT, after=5) == []
    assert host.memory.reason == "the Engine does not say who it is: it sent nothing for 10 s"


def test_silence_confirms_no_listing_of_a_known_engine() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert host.look(engine=SILENT, after=5) == []


def test_a_silent_listing_is_no_first_of_two() -> None:
    """I14."""
    host = world(50)
    host.look(engine=SILENT)
    assert host.look(after=5) == []
    assert len(host.look(after=5)) == 50


def test_silence_in_between_forgets_nothing() -> None:
    """I14: both the first and the last of the three say who they are."""
    host = world(50)
    host.look()
    host.look("c0", engine=SILENT, after=2)
    assert host.look(after=3) == sorted(f"shop:c{number}" for number in range(1, 50))
    assert host.recorded == NAME


def test_a_silence_of_a_moment_costs_a_window_even_for_one_row() -> None:
    """I14: what one listing was the first to lack, and was held for, needs another one."""
    host = world(50)
    assert host.look(*names(49), engine=SILENT) == []
    assert host.look(*names(49), after=1) == []
    assert host.look(*names(49), after=5) == ["shop:c49"]


def test_an_engine_that_has_never_said_who_it_is_loses_a_few_rows_but_no_mass() -> None:
    """I14."""
    host = world(50)
    host.recorded = None
    assert host.look(*names(49), engine=SILENT) == ["shop:c49"]
    assert (host.look(engine=SILENT, after=5), host.look(engine=SILENT, after=5)) == ([], [])
    assert host.memory.reason == (
        "49 of 49 present rows would go missing, and the Engine does not say who it is: it sent nothing for 10 s"
    )


def test_an_engine_without_a_lasting_name_is_guarded_by_the_count_alone() -> None:
    """I14: so is Podman."""
    host = world(50)
    host.recorded = ""
    assert host.look(*names(49), engine="") == ["shop:c49"]
    assert host.look(engine="") == []
    assert len(host.look(engine="", after=5)) == 49


def test_an_engine_with_a_name_where_there_was_a_nameless_one_is_another() -> None:
    """I14."""
    host = world(50)
    host.recorded = ""
    assert host.look(*names(49)) == []
    assert host.memory.reason == f"the Engine is {NAME}, and was nameless"


def test_an_engine_is_recorded_as_soon_as_it_says_who_it_is() -> None:
    """I14."""
    host = world(50)
    host.recorded = None
    host.look(*names(50), engine=SILENT)
    assert host.recorded is None
    host.look()
    assert host.recorded == NAME


def test_an_engine_that_says_who_it_is_for_the_first_time_is_in_no_doubt() -> None:
    """I14."""
    host = world(50)
    host.recorded = None
    assert (host.look(*names(49)), str(host.recorded)) == (["shop:c49"], NAME)


def test_another_engine_that_lacks_nothing_is_not_held() -> None:
    host = world(3)
    assert (host.look(*names(3), engine="B"), host.held()) == ([], set())


# Listings that say nothing of some containers, and passes that were overtaken


def test_a_listing_that_does_not_name_all_its_containers_confirms_nothing() -> None:
    """I3, I14."""
    host = world(50)
    host.look()
    first = host.memory
    assert (host.look(after=5, names_all=False), host.memory) == ([], first)


def test_what_such_a_listing_does_name_is_back() -> None:
    """I14."""
    host = world(50)
    host.look()
    host.look(*names(49), after=1, names_all=False)
    assert host.held() == {"c49"}
    assert host.look(after=4) == ["shop:c49"]


def test_a_host_is_held_no_more_once_such_a_listing_names_all_that_was_held() -> None:
    """I14."""
    host = world(50)
    host.look()
    host.look(*names(50), after=1, names_all=False)
    assert host.memory == Memory()


def test_a_pass_that_was_overtaken_lets_nothing_go_and_does_all_else() -> None:
    """I7, I14."""
    plan = plan_of(rows(2), listed("c0", state="paused"))
    rest, withheld = withhold_sweep(plan)
    assert ([change.kind for change in rest.changes], [change.after.id for change in withheld]) == (
        [Kind.UPDATE],
        ["shop:c1"],
    )
