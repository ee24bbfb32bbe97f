"""The simulator and a real Engine are asked the same questions: their answers have one shape and one meaning.

Only what the index reads is compared. Whatever the simulator is right about here, other tests may take from it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from operator import methodcaller
from typing import Any
from urllib.parse import quote

import docker
import pytest
from docker.models.containers import Container as DockerContainer

from dev.engine import DockerEngine
from reconciler.core.events import EventReader
from reconciler.core.inspection import decode_details
from reconciler.core.listing import decode_listing
from reconciler.engine import Engine
from simulator import Engine as SimulatedEngine
from simulator import Server
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.waiting import WAIT_SECONDS, eventually

LABELS = workload("shop", role="web")
NAME = "contract"
IMAGE = "tinyforge-busybox"
NOBODY = "c" * 64
UNKNOWN_FILTER = '{"colour":["red"]}'


@dataclass
class Side:
    """An Engine, real or simulated, with one container whose life a test leads."""

    url: str
    client: docker.APIClient
    acts: dict[str, Callable[[], object]]

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        answer = self.client.get(f"{self.client.base_url}/v1.41{path}", timeout=WAIT_SECONDS)
        return answer.status_code, answer.content

    def document(self, path: str) -> Any:
        """Return the JSON of an answer."""
        return json.loads(self.get(path)[1])

    def item(self) -> dict[str, Any]:
        """Return the container's item in the listing."""
        (item,) = self.document("/containers/json?all=1")
        return dict(item)


def client_of(url: str) -> docker.APIClient:
    return docker.APIClient(base_url=url, version="1.41", timeout=int(WAIT_SECONDS))


@pytest.fixture
def real(docker_engine: DockerEngine, containers: Containers) -> Iterator[Side]:
    made: list[DockerContainer] = []

    def create() -> None:
        made.append(containers.create(LABELS, name=NAME))

    def the_container(act: str) -> Callable[[], object]:
        return lambda: methodcaller(act)(made[0])

    def end() -> None:
        made[0].kill()
        made[0].wait()

    with closing(client_of(docker_engine.url)) as client:
        acts: dict[str, Callable[[], object]] = {
            "created": create,
            "running": the_container("start"),
            "paused": the_container("pause"),
            "resumed": the_container("unpause"),
            "exited": end,
            "gone": the_container("remove"),
        }
        yield Side(docker_engine.url, client, acts)


@pytest.fixture
def simulated(simulator: Server) -> Iterator[Side]:
    engine = SimulatedEngine()
    url = simulator.serve(engine)
    made: list[str] = []
    with closing(client_of(url)) as client:
        acts: dict[str, Callable[[], object]] = {
            "created": lambda: made.append(engine.create(NAME, labels=LABELS, image=IMAGE)),
            "running": lambda: engine.start(made[0]),
            "paused": lambda: engine.pause(made[0]),
            "resumed": lambda: engine.unpause(made[0]),
            "exited": lambda: engine.die(made[0], exit_code=137),
            "gone": lambda: engine.destroy(made[0]),
        }
        yield Side(url, client, acts)


STATES = {"created": "created", "running": "running", "paused": "paused", "resumed": "running", "exited": "exited"}


def live_through(real: Side, simulated: Side) -> Iterator[str]:
    """Lead both containers through a life; stop at each step, once both Engines list it."""
    for step, state in STATES.items():
        for side in (real, simulated):
            side.acts[step]()
            # Docker 20.10 lists some changes a moment later
            eventually(lambda: side.item()["State"] == state, what=f"{step} is listed")  # noqa: B023 - called at once
        yield step


def shape(value: Any, keys: dict[str, Any] | None = None) -> Any:
    """Return the types in a JSON value; of an object, only the keys that the index reads."""
    if isinstance(value, dict):
        return {key: shape(value.get(key), inner) for key, inner in keys.items()} if keys else "object"
    if isinstance(value, list):
        return [shape(each, keys) for each in value[:1]]
    return type(value).__name__


ITEM_KEYS: dict[str, Any] = dict.fromkeys(["Id", "Names", "Image", "State", "Status", "Labels", "Created", "Ports"])
STATE_KEYS = ["Running", "Restarting", "OOMKilled", "ExitCode", "StartedAt", "FinishedAt"]
INSPECT_KEYS: dict[str, Any] = {"State": dict.fromkeys(STATE_KEYS), "RestartCount": None}
VERSION_KEYS: dict[str, Any] = {"ApiVersion": None, "Version": None, "Components": {"Name": None}}
EVENT_KEYS: dict[str, Any] = {
    "Type": None,
    "Action": None,
    "time": None,
    "timeNano": None,
    "Actor": {"ID": None, "Attributes": {"name": None, "image": None}},
}


def test_a_listing_has_the_same_shape_and_says_the_same_at_each_step_of_a_life(real: Side, simulated: Side) -> None:
    def told(side: Side) -> tuple[Any, ...]:
        (seen,) = decode_listing(side.get("/containers/json?all=1")[1]).observations
        is_up = seen.up_seconds is not None
        return seen.name, seen.image, seen.state, seen.labels, seen.port, seen.health, seen.exit_code, is_up

    for step in live_through(real, simulated):
        assert shape(real.item(), ITEM_KEYS) == shape(simulated.item(), ITEM_KEYS), step
        assert told(real) == told(simulated), step


def test_an_inspect_has_the_same_shape_and_says_the_same_at_each_step_of_a_life(real: Side, simulated: Side) -> None:
    def inspected(side: Side) -> bytes:
        return side.get(f"/containers/{side.item()['Id']}/json")[1]

    def told(side: Side) -> tuple[Any, ...]:
        details = decode_details(inspected(side))
        times = details.started_at is not None, details.finished_at is not None
        return details.exit_code, details.oom_killed, details.restart_count, *times

    for step in live_through(real, simulated):
        real_shape, simulated_shape = (shape(json.loads(inspected(side)), INSPECT_KEYS) for side in (real, simulated))
        assert real_shape == simulated_shape, step
        assert told(real) == told(simulated), step


def test_the_same_life_is_announced_by_the_same_events(real: Side, simulated: Side) -> None:
    """Docker announces a pause and its end a second time if the end comes before containerd has told of the pause."""

    def first_told(side: Side) -> list[str]:
        return list(dict.fromkeys(event.action for line in announced(side) for event in EventReader().feed(line)))

    assert first_told(real) == first_told(simulated) == ["create", "start", "pause", "unpause", "die", "destroy"]


def test_events_have_the_same_shape(real: Side, simulated: Side) -> None:
    shapes = {str(shape(json.loads(line), EVENT_KEYS)) for side in (real, simulated) for line in announced(side)}
    assert len(shapes) == 1, shapes


def test_events_come_in_the_order_of_their_times(real: Side, simulated: Side) -> None:
    for side in (real, simulated):
        times = [json.loads(line)["timeNano"] for line in announced(side)]
        assert times == sorted(times)


def announced(side: Side) -> list[bytes]:
    """Lead a life and return the lines of the event stream up to its end, as the index subscribes to them."""
    lines: list[bytes] = []
    rest = b""
    with closing(Engine(host="local", url=side.url, timeout_seconds=WAIT_SECONDS).events(WAIT_SECONDS)) as stream:
        for act in side.acts.values():
            act()
        for chunk in stream:
            *complete, rest = (rest + chunk).split(b"\n")
            lines += [line + b"\n" for line in complete if line.strip()]
            if any(json.loads(line)["Action"] == "destroy" for line in lines):
                stream.end()
                break
    return lines


def test_a_version_has_the_same_shape(real: Side, simulated: Side) -> None:
    shapes = [shape(side.document("/version"), VERSION_KEYS) for side in (real, simulated)]
    assert shapes[0] == shapes[1]
    names = [side.document("/version")["Components"][0]["Name"] for side in (real, simulated)]
    assert names == ["Engine", "Engine"]


def test_a_ping_is_answered_alike(real: Side, simulated: Side) -> None:
    assert real.get("/_ping") == simulated.get("/_ping") == (200, b"OK")


def test_an_engine_tells_who_it_is_by_a_name_of_its_own(real: Side, simulated: Side) -> None:
    names = [side.document("/info")["ID"] for side in (real, simulated)]
    assert all(isinstance(name, str) and len(name) > 20 for name in names)
    assert names[0] != names[1]
    assert real.document("/info")["ID"] == names[0]


@pytest.mark.parametrize(
    "path",
    [
        f"/containers/{NOBODY}/json",
        "/nothing/of/the/kind",
        f"/containers/json?filters={quote(UNKNOWN_FILTER)}",
    ],
    ids=["unknown container", "unknown path", "unknown filter"],
)
def test_an_error_has_the_same_status_and_tells_it_in_the_same_shape(real: Side, simulated: Side, path: str) -> None:
    (real_status, real_body), (status, body) = real.get(path), simulated.get(path)
    assert real_status == status
    assert json.loads(real_body).keys() == json.loads(body).keys() == {"message"}


def test_an_unknown_container_is_named_in_the_same_words(real: Side, simulated: Side) -> None:
    bodies = [side.document(f"/containers/{NOBODY}/json") for side in (real, simulated)]
    assert bodies == [{"message": f"No such container: {NOBODY}"}] * 2
