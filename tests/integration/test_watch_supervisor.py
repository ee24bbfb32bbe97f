"""I15: one host's trouble, of whatever kind, ends neither the watcher nor the watch of any other host."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError, connection

from reconciler.exceptions import CannotWatch, UnknownHost
from reconciler.models import Host, LiveWatcher
from reconciler.watch import stream, supervisor
from reconciler.watch.stream import HostWatch
from reconciler.watch.supervisor import Watcher
from tests.waiting import WAIT_SECONDS, eventually

pytestmark = pytest.mark.django_db(transaction=True)


class ReadyStream:
    """A stream that says nothing until it is ended."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        self._ended.wait(WAIT_SECONDS)
        yield from ()

    def end(self) -> None:
        self._ended.set()

    def close(self) -> None:
        self._ended.set()


class FakeEngine:
    """An Engine whose subscriptions fail as often as told, with whatever the test wants."""

    def __init__(self, host: str, failures: list[BaseException]) -> None:
        self.host = host
        self._failures = failures

    def events(self, silence_seconds: float) -> ReadyStream:
        if self._failures:
            raise self._failures.pop()
        return ReadyStream()


class Watched:
    """A watcher of the hosts in the database, and what it asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.watcher = Watcher(self._ask, 0.1)
        self.errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def start(self) -> "Watched":
        self._thread.start()
        return self

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def wait_for_ask(self, host: str) -> None:
        eventually(lambda: host in self.asked)

    def stop(self) -> None:
        self.watcher.stopping.set()
        if self._thread.ident:
            self._thread.join()

    def _ask(self, host: str, *_: object) -> None:
        self.asked.add(host)

    def _run(self) -> None:
        try:
            self.watcher.run()
        except Exception as error:  # noqa: BLE001 - kept for the test to judge
            self.errors.append(error)
        finally:
            # this thread's own: nobody else closes it
            connection.close()


@pytest.fixture
def watched(local: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(supervisor, "REFRESH_SECONDS", 0.1)
    monkeypatch.setattr(stream, "BACKOFF_SECONDS", (0.01, 0.02))
    made = Watched()
    yield made
    made.stop()


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give each host a fake Engine, whose first subscriptions may fail."""

    def give(**failures: list[BaseException]) -> None:
        made = {name: FakeEngine(name, given) for name, given in failures.items()}
        monkeypatch.setattr(supervisor, "engine_of", lambda host: made[host.name])

    return give


@pytest.mark.parametrize("error", [KeyError("/version"), ValueError("not a config"), RecursionError(), MemoryError()])
def test_whatever_an_engine_raises_is_tried_again(
    watched: Watched, engines: Callable[..., None], error: Exception
) -> None:
    engines(local=[error, error])
    watched.start().wait_for_ask("local")
    assert (watched.is_running(), watched.errors) == (True, [])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_whose_thread_has_died_is_begun_anew(watched: Watched, engines: Callable[..., None]) -> None:
    engines(local=[SystemExit("its thread ends")])
    watched.start().wait_for_ask("local")
    assert (watched.is_running(), watched.errors) == (True, [])


def test_a_host_whose_engine_cannot_be_named_leaves_the_others_alone(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Host.objects.create(name="bad")
    good = FakeEngine("local", [])

    def engine(host: Host) -> object:
        if host.name == "bad":
            raise ValueError("Invalid IPv6 URL")
        return good

    monkeypatch.setattr(supervisor, "engine_of", engine)
    with caplog.at_level(logging.WARNING, "reconciler.watch.supervisor"):
        watched.start().wait_for_ask("local")
        eventually(lambda: Host.objects.get(name="local").watching_since is not None)
    assert caplog.messages == ["host bad: cannot be watched: Invalid IPv6 URL"]


def test_where_no_more_threads_can_be_had_the_other_hosts_are_watched(
    watched: Watched, engines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    Host.objects.create(name="bad")
    engines(local=[], bad=[])
    start = HostWatch.start

    def start_unless_bad(watch: HostWatch) -> None:
        if watch.engine.host == "bad":
            raise RuntimeError("can't start new thread")
        start(watch)

    monkeypatch.setattr(HostWatch, "start", start_unless_bad)
    watched.start().wait_for_ask("local")
    assert (watched.is_running(), watched.errors, "bad" in watched.asked) == (True, [], False)


def test_a_host_without_trouble_is_watched_beside_one_that_fails_for_ever(
    watched: Watched, engines: Callable[..., None]
) -> None:
    Host.objects.create(name="edge")
    engines(local=[], edge=[KeyError("again") for _ in range(10_000)])
    watched.start().wait_for_ask("local")
    eventually(lambda: Host.objects.get(name="local").watching_since is not None)
    assert Host.objects.get(name="edge").watching_since is None


def test_the_watcher_starts_while_the_database_is_down_and_works_when_it_is_back(
    watched: Watched, engines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(local=[])
    outage: list[Exception] = [OperationalError("connection refused") for _ in range(3)]
    monkeypatch.setattr(supervisor, "_read_hosts", _failing(supervisor._read_hosts, outage))
    watched.start().wait_for_ask("local")
    assert (outage, watched.errors) == ([], [])


def _failing(act: Callable[[], list[Host]], failures: list[Exception]) -> Callable[[], list[Host]]:
    def tried() -> list[Host]:
        if failures:
            raise failures.pop()
        return act()

    return tried


def test_a_database_that_stays_down_ends_the_watcher_with_a_message(
    watched: Watched, engines: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines(local=[])
    monkeypatch.setattr(supervisor, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(supervisor, "_read_hosts", _failing(list, [OperationalError("gone")] * 10_000))
    watched.start()
    eventually(lambda: not watched.is_running())
    assert [type(error) for error in watched.errors] == [CannotWatch]
    assert "the database has not answered for 0.2 s" in str(watched.errors[0])


def test_a_name_that_no_host_has_is_an_error(local: Host) -> None:
    with pytest.raises(UnknownHost, match="unknown host nobody; known: local"):
        Watcher(lambda *_: None, 0.1, only=["nobody"]).run()


def test_a_host_that_comes_back_from_another_watcher_counts_as_watched_again(
    watched: Watched, engines: Callable[..., None]
) -> None:
    engines(local=[])
    watched.start()
    # then all is written that there is to write
    eventually(lambda: Host.objects.filter(watching_since__isnull=False, passes_asked=1).exists())
    # as another watcher leaves it that had the host for a moment; the stream itself stays open for much longer
    Host.objects.update(watcher="", watching_since=None)
    eventually(lambda: Host.objects.get(name="local").watching_since is not None, seconds=WAIT_SECONDS / 4)


def test_a_watcher_leaves_no_trace_that_would_keep_others_waiting(
    watched: Watched, engines: Callable[..., None]
) -> None:
    engines(local=[])
    watched.start()
    eventually(lambda: Host.objects.get(name="local").watching_since is not None)
    watched.stop()
    host = Host.objects.get(name="local")
    assert (host.watcher, host.watching_since, LiveWatcher.objects.count()) == ("", None, 0)


def test_a_watcher_that_was_taken_for_dead_lets_go_of_hosts_that_others_have(
    watched: Watched, engines: Callable[..., None]
) -> None:
    """I15: and it asks for no pass of them any more."""
    engines(local=[])
    watched.start().wait_for_ask("local")
    LiveWatcher.objects.create(name="other", told=["local"])
    Host.objects.update(watcher="other", watching_since=None)
    LiveWatcher.objects.exclude(name="other").delete()
    eventually(lambda: LiveWatcher.objects.count() == 2, what="it has a new name")
    eventually(lambda: not any(thread.name == "watch-local" for thread in threading.enumerate()))
