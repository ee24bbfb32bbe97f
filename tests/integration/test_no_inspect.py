"""deploy/no-inspect.yml: with its settings and behind its proxy, states are right and no container is inspected."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.conf import engine_of
from reconciler.core.report import Outcome, Trigger
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from simulator import Engine, Server
from tests.builders import workload

pytestmark = pytest.mark.django_db
FILE = Path(__file__).parents[2] / "deploy" / "no-inspect.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
(PATTERN,) = (flag for flag in SERVICES["socket-proxy"]["command"] if flag.startswith("-allowGET="))


def test_without_inspects_a_pass_asks_for_nothing_that_the_proxy_refuses(
    local: Host, simulator: Server, settings: Any
) -> None:
    settings.INSPECT_MOST = int(SERVICES["worker"]["environment"]["INSPECT_MOST"])
    engine = Engine()
    web, job = engine.add("web", labels=workload("shop", role="web")), engine.add("job", labels=workload("shop"))
    local.url = simulator.serve(engine)
    acts: list[Callable[[], object]] = [lambda: None, lambda: engine.die(job, exit_code=3), lambda: engine.destroy(web)]
    for act in acts:
        act()
        assert reconcile(local, engine_of(local), trigger=Trigger.TICK).outcome == Outcome.APPLIED
    assert dict(Container.objects.values_list("state", "exit_code")) == {"missing": None, "stopped": 3}
    refused = [path for _, path in engine.requests if not re.fullmatch(PATTERN.partition("=")[2], path)]
    assert refused == []
    assert len(engine.requests) > 3
