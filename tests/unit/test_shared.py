"""Work that many threads want done at the same time is done once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import WAIT_SECONDS, eventually
from web import shared
from web.shared import Shared


def test_who_wants_the_same_at_the_same_time_has_it_from_one() -> None:
    begun, may_end, results = [], threading.Event(), Shared[int]()

    def work() -> int:
        begun.append(1)
        may_end.wait(WAIT_SECONDS)
        return 7

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(results.get, "key", work) for _ in range(8)]
        eventually(lambda: begun)
        may_end.set()
        assert [each.result(WAIT_SECONDS) for each in asked] == [7] * 8
    assert len(begun) == 1


def test_who_wants_something_else_has_something_else() -> None:
    results = Shared[int]()
    assert [results.get(key, lambda key=key: key) for key in (1, 2, 1)] == [1, 2, 1]  # type: ignore[misc]


def test_what_is_old_is_worked_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "KEPT_SECONDS", 0.0)
    results, numbers = Shared[int](), iter(range(10))
    assert [results.get("key", lambda: next(numbers)) for _ in range(3)] == [0, 1, 2]


def test_an_error_is_everybodys_who_waits_for_it() -> None:
    begun, may_end, results = [], threading.Event(), Shared[int]()

    def fail() -> int:
        begun.append(1)
        may_end.wait(WAIT_SECONDS)
        raise ValueError("no")

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(results.get, "key", fail) for _ in range(3)]
        eventually(lambda: begun)
        may_end.set()
        assert {type(each.exception(WAIT_SECONDS)) for each in asked} == {ValueError}
