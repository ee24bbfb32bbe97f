"""The events of a simulated Engine, and how their stream can fail."""

import json

import pytest
import requests

from simulator import Engine, Failure, Server
from tests.integration.simulator.conftest import Get, Watch, actions, only_item
from tests.waiting import WAIT_SECONDS


def test_events_come_in_the_order_of_a_real_daemon(watch: Watch, engine: Engine) -> None:
    events = watch(type=["container"])
    container_id = engine.add("web")
    engine.restart(container_id)
    engine.die(container_id, oom=True)
    engine.start(container_id)
    engine.destroy(container_id)
    assert actions(events, 13) == [
        *("create", "start", "kill", "die", "stop", "start", "restart"),
        *("oom", "die", "start", "kill", "die", "destroy"),
    ]


def test_events_carry_times_that_only_grow(watch: Watch, engine: Engine) -> None:
    events = watch()
    engine.restart(engine.add("web"))
    times = [next(events)["timeNano"] for _ in range(7)]
    assert times == sorted(set(times))


def test_an_event_describes_its_container(watch: Watch, engine: Engine) -> None:
    events = watch()
    container_id = engine.add("web", labels={"a": "b"}, image="nginx:1")
    engine.die(container_id, 3)
    event = [next(events) for _ in range(3)][-1]
    assert event["Actor"] == {
        "ID": container_id,
        "Attributes": {"a": "b", "image": "nginx:1", "name": "web", "exitCode": "3"},
    }
    assert [event[key] for key in ("status", "id", "from", "Type")] == ["die", container_id, "nginx:1", "container"]


def test_an_event_has_no_legacy_fields_from_1_52_on(server: Server) -> None:
    engine = Engine(api_version="1.52")
    address = server.serve(engine).replace("tcp", "http")
    with requests.get(f"{address}/events", stream=True, timeout=WAIT_SECONDS) as answer:
        engine.add("web")
        event = json.loads(next(answer.iter_lines(chunk_size=None)))
    assert {"status", "id", "from"}.isdisjoint(event)
    assert event["Action"] == "create"


def test_podman_says_died(server: Server) -> None:
    engine = Engine(podman=True)
    address = server.serve(engine).replace("tcp", "http")
    container_id = engine.add("web")
    with requests.get(f"{address}/events", stream=True, timeout=WAIT_SECONDS) as answer:
        engine.die(container_id)
        assert json.loads(next(answer.iter_lines(chunk_size=None)))["Action"] == "died"


def test_health_and_its_probes_are_told(watch: Watch, engine: Engine) -> None:
    container_id = engine.add("web")
    events = watch()
    engine.exec_probe(container_id, "true")
    engine.set_health(container_id, "unhealthy")
    assert actions(events, 4) == ["exec_create: true", "exec_start: true", "exec_die", "health_status: unhealthy"]


def test_a_change_is_listed_before_its_event_is_out(watch: Watch, engine: Engine, get: Get) -> None:
    events = watch()
    container_id = engine.add("web")
    engine.die(container_id)
    actions(events, 3)
    assert only_item(get)["State"] == "exited"


def test_a_stream_carries_only_what_its_filters_want(watch: Watch, engine: Engine) -> None:
    events = watch(type=["container"], event=["die", "health_status"])
    container_id = engine.add("web")
    engine.set_health(container_id, "healthy")
    engine.die(container_id)
    assert actions(events, 2) == ["health_status: healthy", "die"]


def test_an_unknown_filter_is_refused(get: Get) -> None:
    assert get('/events?filters={"colour":["red"]}').status_code == 400


def test_amending_a_container_tells_nobody(watch: Watch, engine: Engine, get: Get) -> None:
    container_id = engine.add("web")
    events = watch()
    engine.amend(container_id, state="exited")
    engine.start(container_id)
    assert actions(events, 1) == ["start"]


def test_a_silent_stream_stays_open_and_says_nothing(watch: Watch, engine: Engine) -> None:
    events = watch()
    engine.fail(Failure.SILENT)
    engine.add("unheard")
    late = watch()
    engine.heal()
    engine.add("heard")
    for stream in (events, late):
        assert next(stream)["Actor"]["Attributes"]["name"] == "heard"


def test_skipped_events_are_lost(watch: Watch, engine: Engine) -> None:
    events = watch()
    engine.fail(Failure.SKIP, times=1)
    engine.add("web")
    assert actions(events, 1) == ["start"]


def test_streams_can_be_made_to_end_at_once(watch: Watch, engine: Engine) -> None:
    before = watch()
    engine.fail(Failure.ENDS)
    assert [list(before), list(watch()), list(watch())] == [[], [], []]


def test_garbage_is_no_json(watch: Watch, engine: Engine) -> None:
    before = watch()
    engine.fail(Failure.GARBAGE)
    for stream in (before, watch()):
        with pytest.raises(ValueError, match="Expecting value"):
            next(stream)


def test_raw_bytes_reach_every_stream(watch: Watch, engine: Engine) -> None:
    events = watch(event=["die"])
    engine.emit_raw(b'{"Action": "invented"}\n')
    assert actions(events, 1) == ["invented"]


def test_dropped_streams_break_off(watch: Watch, engine: Engine) -> None:
    events = watch()
    assert engine.open_streams == 1
    engine.drop_streams()
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        next(events)
    assert engine.open_streams == 0
