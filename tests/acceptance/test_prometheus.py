"""A real Prometheus scrapes the real index, by docs/metrics.md, and alerts by deploy/alerts.yml."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.engine import DockerEngine
from dev.index import Processes
from dev.packages import find_program
from dev.prometheus import Prometheus
from tests.acceptance.conftest import Containers
from tests.acceptance.site import Web
from tests.builders import workload
from tests.conftest import unavailable
from tests.waiting import eventually
from web.models import Scope, Token

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def prometheus(processes: Processes, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a web process, and evaluates a copy of the rules that lets no time pass before."""
    web = Web(processes)
    web.start()
    if find_program("prometheus") is None:
        unavailable("no Prometheus here")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    server = Prometheus(folder)
    server.config.write_text(yaml.safe_dump(config(folder, web.port)))
    server.start()
    yield server
    server.stop()


def config(folder: Path, port: int) -> dict[str, Any]:
    """Return the configuration that the page on metrics gives, for this web process and with short pauses."""
    page = (PROJECT / "docs" / "metrics.md").read_text()
    found = re.search(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert found
    given: dict[str, Any] = yaml.safe_load(found[1])
    rules, token = folder / "alerts.yml", folder / "token"
    rules.write_text(re.sub(r"^( +for:) \w+$", r"\1 0s", (PROJECT / "deploy" / "alerts.yml").read_text(), flags=re.M))
    token.write_text(Token.objects.issue("prometheus", Scope.READ)[1])
    (job,) = given["scrape_configs"]
    job["authorization"]["credentials_file"] = str(token)
    job |= {"scheme": "http", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}], "scrape_interval": "2s"}
    return given | {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
    }


def firing(server: Prometheus) -> list[tuple[str, str]]:
    """Return which alerts about containers are firing, and what they say."""
    return [
        (alert["labels"]["alertname"], alert["annotations"]["summary"])
        for alert in server.alerts()
        if alert["state"] == "firing" and alert["labels"]["alertname"].startswith("TinyforgeContainer")
    ]


def test_an_alert_fires_when_a_container_is_killed_and_ends_when_it_runs_again(
    processes: Processes, docker_engine: DockerEngine, containers: Containers, prometheus: Prometheus
) -> None:
    made = containers.run(workload("shop", role="web"))
    processes.worker(DOCKER_HOST=docker_engine.url)
    processes.watcher(DOCKER_HOST=docker_engine.url)
    runs = 'tinyforge:container_state:named{row="shop:web", state="running", workload="shop"} == 1'
    eventually(lambda: prometheus.query(runs), what="Prometheus knows that it runs")
    assert firing(prometheus) == []
    made.kill()
    alert = "TinyforgeContainerEnded", "Container shop:web on host local has ended with exit code 137"
    eventually(lambda: firing(prometheus) == [alert], what="the alert fires")
    made.start()
    eventually(lambda: firing(prometheus) == [], what="the alert ends")
