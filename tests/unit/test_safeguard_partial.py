"""The safeguard (I14): listings that say nothing of some containers, and passes that were overtaken."""

from reconciler.core.plan import Kind
from reconciler.core.safeguard import (
    Memory,
    withhold_sweep,
)
from tests.safeguarding import listed, names, plan_of, rows, world


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
