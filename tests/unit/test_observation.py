"""What a daemon says, in our own terms."""

import pytest

from reconciler.observation import Reason, Skip, Snapshot, main_port, normalise_state
from tests.builders import cid, container


@pytest.mark.parametrize(
    ("daemon", "ours"),
    [
        ("running", "running"),
        ("exited", "stopped"),
        ("dead", "stopped"),
        ("stopped", "stopped"),
        ("created", "created"),
        ("restarting", "restarting"),
        ("paused", "paused"),
        ("removing", "removing"),
        ("Exited", "stopped"),
        ("Configured", "configured"),
        ("stopping", "stopping"),
    ],
)
def test_states_are_normalised(daemon: str, ours: str) -> None:
    assert normalise_state(daemon) == ours


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ([], 0),
        ([(443, "tcp"), (80, "tcp")], 80),
        ([(80, "tcp"), (443, "tcp")], 80),
        ([(53, "udp"), (8080, "tcp")], 8080),
        ([(5353, "udp"), (53, "udp")], 53),
    ],
)
def test_the_port_is_the_lowest_tcp_before_udp_in_whatever_order(ports: list[tuple[int, str]], port: int) -> None:
    assert main_port(ports) == port


def test_refused_containers_are_listed_all_the_same() -> None:
    """I3."""
    refusal = Skip(cid("bad"), "bad", Reason.MALFORMED, "")
    snapshot = Snapshot(observations=(container("good"),), refusals=(refusal,))
    assert snapshot.listed_ids == {cid("good"), cid("bad")}


def test_a_listing_with_an_unreadable_id_does_not_name_every_container() -> None:
    """I3."""
    assert not Snapshot(observations=(), refusals=(Skip("", "", Reason.MALFORMED, ""),)).names_every_container
