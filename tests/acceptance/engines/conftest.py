"""Every test here runs on every kind of Engine: on the first in `make test`, on the others in `make test-real`."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from pluggy import Result

from dev.engine_kinds import KINDS, EngineKind, PrivateEngine
from dev.engines_page import record
from tests.acceptance.conftest import Containers, running
from tests.environment import DIRECTORY

EACH_KIND = [pytest.param(kind, id=kind.name, marks=pytest.mark.real if kind != KINDS[0] else ()) for kind in KINDS]


@pytest.fixture(scope="session", params=EACH_KIND)
def kind(request: pytest.FixtureRequest) -> EngineKind:
    """The kind of Engine that a test runs on."""
    given: EngineKind = request.param
    return given


@pytest.fixture(scope="session")
def real_engine(kind: EngineKind) -> Iterator[PrivateEngine]:
    """A private Engine of this kind with an image of busybox."""
    with running(kind.make(DIRECTORY / kind.name)) as engine:
        yield engine


@pytest.fixture
def containers(real_engine: PrivateEngine) -> Iterator[Containers]:
    made = Containers(real_engine)
    yield made
    try:
        made.remove_all()
    finally:
        made.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Function, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    """Record what was shown on which Engine: docs/engines.md is made of that."""
    outcome: Result[pytest.TestReport] = yield
    report = outcome.get_result()
    kind = item.callspec.params["kind"]
    assert isinstance(kind, EngineKind)
    record(item.originalname, kind.name, call.when, passed=report.passed)
