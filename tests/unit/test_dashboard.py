"""deploy/grafana.json: a dashboard that Grafana can load, and whose questions Prometheus can answer."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from tests.unit.test_alerts import promtool

DASHBOARD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "deploy" / "grafana.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUESTIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24


def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": question.replace("$__rate_interval", "5m")}
        for number, (_, question) in enumerate(QUESTIONS)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert promtool("check", "rules", str(path)) == ""


def test_every_question_about_hosts_is_about_those_that_are_chosen() -> None:
    about_the_index = ("tinyforge_passes_total", "tinyforge_metrics_truncated")
    others = [question for _, question in QUESTIONS if not any(name in question for name in about_the_index)]
    assert [question for question in others if 'host=~"$host"' not in question] == []


def test_every_panel_asks_the_prometheus_that_is_chosen() -> None:
    asked = [target["datasource"] for panel in PANELS for target in [panel, *panel["targets"]]]
    assert [source for source in asked if source != SOURCE] == []
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "host"]


def test_every_panel_has_a_place_of_its_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    places = [(panel["title"], panel["gridPos"]) for panel in PANELS]
    assert [title for title, at in places if at["x"] + at["w"] > COLUMNS] == []
    assert [(one, two) for (one, a), (two, b) in combinations(places, 2) if overlap(a, b)] == []


def overlap(one: dict[str, int], two: dict[str, int]) -> bool:
    return all(one[at] < two[at] + two[size] and two[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h")))
