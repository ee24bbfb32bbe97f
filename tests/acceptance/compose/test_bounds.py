"""What each service of the Compose file may do on a real Engine: whom it reaches, what it writes, what it takes."""

import json
from typing import Any

import pytest

from dev.place import PROJECT
from dev.process import ServiceError
from tests.acceptance.compose.probes import ANSWER, CONNECT, PROBES, REFUSALS, Probe
from tests.acceptance.compose.running import SERVICES, Running

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("first")]
PROXY_PORT = 2375
# The resolver that slirp4netns serves to whoever has a way out.
OUTSIDE = ("10.0.2.3", 53)


def can_connect(running: Running, service: str, host: str, port: int) -> bool:
    """Tell whether a service of the index can open a connection."""
    said = running.site.compose("exec", "-T", service, "python", "-c", CONNECT, host, str(port))
    return bool(json.loads(said))


def address(running: Running, service: str, network: str) -> str:
    """Return the address that a service has in a network."""
    networks = running.facts(service)["NetworkSettings"]["Networks"]
    found: str = networks[f"container-index_{network}"]["IPAddress"]
    return found


def test_the_proxy_lets_the_reading_of_the_index_through_and_nothing_else(running: Running) -> None:
    asked = json.dumps([[probe.method, probe.target, probe.headers] for probe in PROBES])
    command = ["exec", "-T", "worker", "python", "-c", ANSWER, "socket-proxy", str(PROXY_PORT), asked]
    answers: list[int] = json.loads(running.site.compose(*command))
    wrong = {
        (probe.method, probe.target): status
        for probe, status in zip(PROBES, answers, strict=True)
        if not is_as_promised(probe, status)
    }
    assert not wrong


def is_as_promised(probe: Probe, status: int) -> bool:
    """Tell whether the proxy has let a probe through, or refused it, as it should."""
    return status == 200 if probe.is_allowed else status in REFUSALS


@pytest.mark.parametrize("service", ["alerts", "beat", "web"])
def test_who_asks_no_engine_cannot_reach_the_proxy(running: Running, service: str) -> None:
    proxy = address(running, "socket-proxy", "engine")
    assert can_connect(running, "worker", proxy, PROXY_PORT)
    assert not can_connect(running, service, proxy, PROXY_PORT)


@pytest.mark.parametrize("service", ["beat", "urgent", "watch", "worker"])
def test_only_alerts_and_web_have_a_way_out(running: Running, service: str) -> None:
    assert can_connect(running, "alerts", *OUTSIDE)
    assert can_connect(running, "web", *OUTSIDE)
    assert not can_connect(running, service, *OUTSIDE)


def test_a_worker_reaches_web_on_no_network_but_that_of_the_index(running: Running) -> None:
    assert can_connect(running, "worker", address(running, "web", "backend"), 8000)
    assert not can_connect(running, "worker", address(running, "web", "frontend"), 8000)


@pytest.mark.parametrize("service", ["alerts", "beat", "urgent", "watch", "web", "worker"])
def test_no_process_of_the_index_has_dockers_socket(running: Running, service: str) -> None:
    with pytest.raises(ServiceError, match=r"docker\.sock"):
        running.site.compose("exec", "-T", service, "ls", "/var/run/docker.sock")


@pytest.mark.parametrize("service", [*SERVICES, "migrate"])
def test_nothing_has_tried_to_write_where_it_may_not(running: Running, service: str) -> None:
    assert running.facts(service)["HostConfig"]["ReadonlyRootfs"] is True
    (container,) = running.containers(service)
    assert b"read-only file system" not in container.logs().lower()
    assert b"Permission denied" not in container.logs()


@pytest.mark.parametrize("service", SERVICES)
def test_takes_about_the_memory_that_the_docs_tell_and_has_a_bound(running: Running, service: str) -> None:
    (container,) = running.containers(service)
    bounds = running.facts(service)["HostConfig"]
    used = memory_of(running.client.api.stats(str(container.id), stream=False, one_shot=True))
    assert 0 < used <= 2 * told_mib(service) * 2**20 <= bounds["Memory"]
    assert bounds["PidsLimit"] > 0


def memory_of(stats: dict[str, Any]) -> int:
    """Return the bytes that a container takes, without files that are only cached, as `docker stats` does."""
    memory = stats["memory_stats"]
    cached = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))
    return int(memory["usage"] - cached)


def told_mib(service: str) -> int:
    """Return how much memory the docs say that a service takes while it is quiet."""
    lines = (PROJECT / "docs" / "production.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| {service} |"))
    return int(row.split("|")[2].removesuffix("MiB ").strip())
