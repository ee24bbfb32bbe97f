"""How a simulated Engine can be made to fail."""

import contextlib
import http.client
import socket
import time

import pytest
import requests

from simulator import EVERYTHING, INSPECTS, Engine, Failure
from tests.integration.simulator.conftest import LISTING, Get, only_item
from tests.waiting import WAIT_SECONDS, eventually


def test_a_refused_connection_is_closed_without_a_word(get: Get, engine: Engine) -> None:
    engine.fail(Failure.REFUSED, times=1)
    with pytest.raises(requests.ConnectionError):
        get("/_ping")
    assert engine.requests == []
    assert get("/_ping").ok


def test_a_connection_kept_alive_is_refused_at_its_next_request(get: Get, engine: Engine) -> None:
    get("/_ping")
    engine.fail(Failure.REFUSED)
    with pytest.raises(requests.ConnectionError):
        get("/_ping")


def test_a_hanging_engine_says_nothing(get: Get, engine: Engine) -> None:
    engine.fail(Failure.HANG)
    with pytest.raises(requests.ReadTimeout):
        get(LISTING, timeout=0.1)


def test_a_request_that_hung_is_answered_when_the_engine_heals(url: str, engine: Engine) -> None:
    engine.fail(Failure.HANG)
    connection = http.client.HTTPConnection(url.removeprefix("tcp://"), timeout=WAIT_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", LISTING)
        eventually(lambda: engine.requests)
        engine.heal()
        assert connection.getresponse().read() == b"[]\n"


def test_an_error_has_status_and_message(get: Get, engine: Engine) -> None:
    engine.fail(Failure.ERROR, status=503, message="no disk")
    answer = get(LISTING)
    assert (answer.status_code, answer.json()) == (503, {"message": "no disk"})


@pytest.mark.parametrize("failure", [Failure.TRUNCATED, Failure.TRUNCATED_CHUNKED])
def test_a_truncated_body_breaks_off(get: Get, engine: Engine, failure: Failure) -> None:
    engine.add("web")
    engine.fail(failure)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(LISTING)


def test_a_body_that_is_no_json_comes_with_200(get: Get, engine: Engine) -> None:
    engine.fail(Failure.NOT_JSON)
    answer = get(LISTING)
    assert (answer.status_code, answer.text[:6]) == (200, "<html>")


@pytest.mark.parametrize("body", [b"null", b"{}"])
def test_a_body_that_is_no_list_comes_with_200(get: Get, engine: Engine, body: bytes) -> None:
    engine.fail(Failure.NOT_A_LIST, body=body)
    answer = get(LISTING)
    assert (answer.status_code, answer.content) == (200, body)


def test_a_dripping_body_outlasts_a_read_timeout(url: str, engine: Engine) -> None:
    engine.fail(Failure.DRIP, every=0.02)
    host, port = url.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
        connection.sendall(b"GET /containers/json HTTP/1.1\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() < began + 0.4:
            assert connection.recv(4096)
        engine.heal()
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass


def test_a_slow_answer_is_right(get: Get, engine: Engine) -> None:
    engine.add("web")
    engine.fail(Failure.SLOW, seconds=0.1)
    began = time.monotonic()
    assert only_item(get)["Names"] == ["/web"]
    assert time.monotonic() - began >= 0.1


def test_an_empty_answer_is_a_lie(get: Get, engine: Engine) -> None:
    engine.add("web")
    engine.fail(Failure.EMPTY, times=1)
    assert [len(get(LISTING).json()) for _ in range(2)] == [0, 1]


def test_a_version_can_be_refused_at_will(get: Get, engine: Engine) -> None:
    engine.fail(Failure.VERSION)
    answer = get("/v1.41" + LISTING)
    assert (answer.status_code, answer.json()["message"].split(",")[0]) == (
        400,
        "client version 1.41 is too old. Minimum supported API version is 1.44",
    )


def test_random_errors_hit_the_same_requests_each_time(get: Get, engine: Engine) -> None:
    def statuses() -> list[int]:
        engine.heal()
        engine.fail(Failure.RANDOM_ERROR, rate=0.3, seed=7)
        return [get(LISTING).status_code for _ in range(50)]

    first = statuses()
    assert first == statuses()
    assert 5 < first.count(500) < 25


def test_inspects_can_fail_alone(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    engine.fail(Failure.ERROR, path=INSPECTS)
    assert get(f"/v1.41/containers/{container_id}/json").status_code == 500
    assert get(LISTING).ok
    assert get("/v1.41" + LISTING).ok


def test_inspects_fail_at_random(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    engine.fail(Failure.RANDOM_ERROR, path=INSPECTS, rate=0.3)
    statuses = [get(f"/containers/{container_id}/json").status_code for _ in range(50)]
    assert 5 < statuses.count(500) < 25
    assert statuses.count(200) == 50 - statuses.count(500)


def test_inspects_hang_alone(get: Get, engine: Engine) -> None:
    container_id = engine.add("web")
    engine.fail(Failure.HANG, path=INSPECTS)
    with pytest.raises(requests.ReadTimeout):
        get(f"/containers/{container_id}/json", timeout=0.1)
    assert get(LISTING).ok


def test_everything_can_hang(get: Get, engine: Engine) -> None:
    engine.fail(Failure.HANG, path=EVERYTHING)
    for path in ("/version", "/_ping", LISTING):
        with pytest.raises(requests.ReadTimeout):
            get(path, timeout=0.1)


def test_the_latest_failure_comes_first_and_healing_lifts_all(get: Get, engine: Engine) -> None:
    engine.fail(Failure.ERROR, status=500)
    engine.fail(Failure.ERROR, status=503, times=1)
    assert [get(LISTING).status_code for _ in range(2)] == [503, 500]
    engine.heal()
    assert get(LISTING).ok
