"""What Docker answers in API 1.44, the oldest of Engine 29, and in 1.52 is read alike, and simulated alike."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.record_answers import FOLDER, SPECIMENS, as_in_1_52
from reconciler.core.events import EventReader
from reconciler.core.inspection import decode_details
from reconciler.core.listing import decode_listing
from reconciler.core.observation import Observation
from simulator import documents
from simulator.container import Container

VERSIONS = ("1.44", "1.52")
OPEN_ENDED = frozenset({"Labels", "Attributes", "Networks", "Ports", "Mounts", "Log", "Args"})
"""Fields whose content is a container's own."""
NOT_RECORDED = frozenset({"ImageManifestDescriptor"})
"""Only images with a manifest have it: those that were pulled, on Engines that keep images in containerd."""

each_version = pytest.mark.parametrize("version", VERSIONS)


def recorded(version: str) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((FOLDER / f"api-{version}.json").read_text(encoding="utf-8"))
    return answers


def listed(version: str) -> dict[str, Observation]:
    snapshot = decode_listing(json.dumps(recorded(version)["listing"]).encode())
    assert not snapshot.refusals
    return {each.name: each for each in snapshot.observations}


@each_version
def test_every_state_is_read_from_a_listing(version: str) -> None:
    seen = {name: (each.state, each.exit_code) for name, each in listed(version).items()}
    assert seen == {
        "created": ("created", None),
        "running": ("running", None),
        "unhealthy": ("running", None),
        "paused": ("paused", None),
        "exited": ("stopped", 3),
        "restarting": ("restarting", 7),
        "was-unhealthy": ("stopped", 137),
    }


@each_version
def test_health_is_read_from_a_listing_while_a_container_runs(version: str) -> None:
    """In 1.52 a container that was killed is still listed as unhealthy."""
    assert {name for name, each in listed(version).items() if each.health} == {"unhealthy"}


@each_version
def test_labels_are_read_from_a_listing(version: str) -> None:
    assert {each.labels["tinyforge.role"] for each in listed(version).values()} == set(SPECIMENS)


def test_a_listing_says_the_same_in_both_versions() -> None:
    assert listed("1.44") == listed("1.52")


@each_version
@pytest.mark.parametrize(
    ("name", "exit_code"), [("created", None), ("running", None), ("exited", 3), ("restarting", 7), ("paused", None)]
)
def test_how_a_container_ended_is_read_from_an_inspect(version: str, name: str, exit_code: int | None) -> None:
    (body,) = (each for each in recorded(version)["inspections"] if each["Name"] == f"/{name}")
    details = decode_details(json.dumps(body).encode())
    assert (details.exit_code, details.started_at is None) == (exit_code, name == "created")
    assert bool(details.restart_count) == (name == "restarting")


def test_an_inspect_says_the_same_in_both_versions() -> None:
    older, newer = ([decode_details(json.dumps(each).encode()) for each in bodies(version)] for version in VERSIONS)
    assert older == newer


@each_version
def test_every_event_of_a_life_is_read(version: str) -> None:
    stream = "".join(f"{json.dumps(event)}\n" for event in recorded(version)["events"])
    actions = [event.action for event in EventReader().feed(stream.encode()) if event.at_ns]
    assert {"create", "start", "pause", "die", "health_status"} <= {each.partition(":")[0] for each in actions}
    assert actions.count("create") == len(SPECIMENS)


def test_the_newer_answers_are_the_older_ones_with_what_has_changed() -> None:
    assert as_in_1_52(recorded("1.44")) == recorded("1.52")


@each_version
def test_a_recording_says_where_it_is_from(version: str) -> None:
    assert "Docker 26.1" in recorded(version)["source"] or "https://docs.docker.com" in recorded(version)["source"]


@each_version
def test_what_is_simulated_has_the_fields_and_types_of_what_was_recorded(version: str) -> None:
    dialect = documents.dialect_of(version, podman=False)
    container = Container(id="a" * 64, name="web", image="tinyforge-busybox", created=1_800_000_000, health="unhealthy")
    answers = recorded(version)
    (example,) = (each for each in answers["inspections"] if each["Name"] == "/unhealthy")
    pairs = [
        (documents.listing_item(container, 1_800_000_100, dialect), answers["listing"][0]),
        (documents.inspection(container), example),
        (documents.event(container, "start", {}, 5, dialect), answers["events"][0]),
    ]
    for simulated, real in pairs:
        assert list(differences(simulated, real)) == []
    assert set(pairs[2][0]) == set(pairs[2][1]), "an event has these fields and no others"


def bodies(version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = recorded(version)["inspections"]
    return found


def differences(simulated: Any, real: Any, path: str = "") -> Iterator[str]:
    """Return the fields that are simulated and were not recorded, or with values of another type."""
    if isinstance(simulated, dict) and isinstance(real, dict):
        for name, value in simulated.items():
            if name not in real and name not in NOT_RECORDED:
                yield f"{path}.{name} was not recorded"
            elif name in real and name not in OPEN_ENDED:
                yield from differences(value, real[name], f"{path}.{name}")
    elif real is not None and type(simulated) is not type(real):
        yield f"{path} is {simulated!r}, and was {real!r}"
