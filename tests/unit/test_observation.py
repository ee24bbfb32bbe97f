"""What a daemon says, in our own terms."""

import pytest

from reconciler.core.observation import Reason, Skip, Snapshot, Status, main_port, normalise_state, read_status
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


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Up 2 hours (healthy)", Status(health="healthy")),
        ("Up 2 hours (unhealthy)", Status(health="unhealthy")),
        ("Up 3 seconds (health: starting)", Status(health="starting", up_seconds=3)),
        ("Up 2 hours (Paused)", Status()),
        ("Up 12 seconds (Paused)", Status(up_seconds=12)),
        ("Up Less than a second", Status(up_seconds=0)),
        ("Up 1 second", Status(up_seconds=1)),
        ("Up About a minute", Status()),
        ("Up 45 minutes", Status()),
        ("Exited (0) 2 hours ago", Status(exit_code=0)),
        ("Exited (137) 3 minutes ago", Status(exit_code=137)),
        ("Exited (-1) 3 minutes ago", Status(exit_code=-1)),
        ("Restarting (1) 5 seconds ago", Status(exit_code=1, ended_seconds=5)),
        ("Restarting (1) About a minute ago", Status(exit_code=1)),
        ("Exited (1) 1 second ago", Status(exit_code=1, ended_seconds=1)),
        ("Exited (1) Less than a second ago", Status(exit_code=1, ended_seconds=0)),
        ("Exited (9999999999) 3 minutes ago", Status()),
        ("Created", Status()),
        ("Dead", Status()),
        ("Removal In Progress", Status()),
        ("exited (1)", Status()),
        ("", Status()),
    ],
)
def test_a_status_tells_health_exit_code_and_age(text: str, read: Status) -> None:
    assert read_status(text) == read
