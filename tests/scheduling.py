"""How `-n auto` and `-n logical` divide the tests among workers of pytest; a pytest plugin.

pytest-xdist's own `--dist=loadgroup` sees no groups under pytest 9.2, and its other ways would start daemons and
browsers once in each worker, or keep a module of a hundred slow tests in one.
"""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

MOST_WORKERS = 16
# Their tests share what takes long to start or to make: daemons, an ssh server, a browser, a release.
_TOGETHER = ("browser", "live_page", "oidc", "podman", "preferences", "screens", "ssh", "tls")
TOGETHER = {"tests/integration/test_release.py"} | {f"tests/acceptance/test_{name}.py" for name in _TOGETHER}
ACCEPTANCE = "tests/acceptance/"
# Of all tests, the share among which those are that wait for something real.
SHARE_WITH_WAITING = 0.8
# Their tests share an Engine of each kind, which is in brackets.
BY_KIND = "tests/acceptance/engines/"
# Their tests share one run of the Compose file.
COMPOSE = "tests/acceptance/compose/"


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return two workers a core, because most tests wait; for `-n logical` one, for tests that do not."""
    workers_a_core = 1 if config.option.numprocesses == "logical" else 2
    return min(workers_a_core * (os.cpu_count() or 1), MOST_WORKERS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Spread the tests that wait among those that do not, where tests are divided among workers."""
    if hasattr(config, "workerinput"):
        place = {nodeid: at for at, nodeid in enumerate(spread([item.nodeid for item in items]))}
        items.sort(key=lambda item: place[item.nodeid])


def spread(nodeids: list[str]) -> list[str]:
    """Return the tests, those of acceptance evenly among the others; the last ones are short.

    So the cores are never idle, and all workers end at the same time. Each kind keeps its order.
    """
    waiting = [nodeid for nodeid in nodeids if nodeid.startswith(ACCEPTANCE)]
    others = [nodeid for nodeid in nodeids if not nodeid.startswith(ACCEPTANCE)]
    places = [SHARE_WITH_WAITING * at / len(waiting) for at in range(len(waiting))]
    places += [at / len(others) for at in range(len(others))]
    return [nodeid for _, nodeid in sorted(zip(places, waiting + others, strict=True), key=lambda each: each[0])]


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """Gives the tests of some modules, of classes, of a kind of Engine and of Compose to one worker, others to any."""

    def _split_scope(self, nodeid: str) -> str:
        """Return what a test shares with those that have to go to the same worker."""
        if nodeid.startswith(BY_KIND):
            return BY_KIND + nodeid.partition("[")[2]
        if nodeid.startswith(COMPOSE):
            return COMPOSE
        module, *classes, _ = nodeid.partition("[")[0].split("::")
        return module if module in TOGETHER else "::".join([module, *classes]) if classes else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Return the scheduler of this run."""
    return Scheduling(config, log)
