"""The verdict says how everything is, and never counts as well what is not known."""

import pytest

from reconciler.levels import Level
from web.pages.verdict import Counts, verdict


def counts(**given: int) -> Counts:
    return Counts(**({"hosts": 1, "containers": 0, "wrong": 0, "unknown": 0, "waiting": 0, "things": 0} | given))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"hosts": 4, "containers": 132}, "All 132 containers on 4 hosts are as they should be."),
        ({"containers": 1}, "The only container on 1 host is as it should be."),
        ({}, "No container is known yet on 1 host."),
        (
            {"containers": 133, "wrong": 2, "unknown": 34, "things": 3},
            "3 things want you. 97 containers are as they should be, 34 are not known.",
        ),
        ({"containers": 1, "wrong": 1, "things": 1}, "1 thing wants you. 0 containers are as they should be."),
        ({"containers": 3, "unknown": 1}, "2 containers are as they should be, 1 is not known."),
        ({"containers": 3, "unknown": 3}, "3 are not known."),
        ({"containers": 3, "waiting": 1}, "2 containers are as they should be, 1 is being deployed on 1 host."),
        ({"containers": 1, "waiting": 1}, "1 is being deployed."),
        (
            {"containers": 2, "wrong": 1, "things": 1, "over": 2},
            "1 thing wants you. 2 things seem to be well again. 1 container is as it should be.",
        ),
        ({"containers": 2, "over": 1}, "1 thing seems to be well again. 2 containers are as they should be."),
        ({"containers": 10_000, "hosts": 100}, "All 10,000 containers on 100 hosts are as they should be."),
    ],
)
def test_the_verdict_is_one_sentence_that_counts_everything(given: dict[str, int], sentence: str) -> None:
    assert verdict(counts(**given), Level.DOWN).sentence == sentence


def test_the_verdict_is_as_bad_as_the_worst_thing() -> None:
    assert verdict(counts(containers=3, wrong=1, things=1), Level.WARN).level is Level.WARN


def test_as_long_as_something_is_not_over_not_all_is_well() -> None:
    assert verdict(counts(containers=3, over=1), Level.WELL).level is Level.WARN


def test_with_rows_that_are_not_known_not_all_is_well() -> None:
    assert verdict(counts(containers=3, unknown=1), Level.WELL).level is Level.UNKNOWN


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ({"containers": 2}, "All well"),
        ({"containers": 2, "wrong": 1, "things": 1}, "1 wrong"),
        ({"containers": 2, "unknown": 2}, "2 unknown"),
        ({"containers": 2, "over": 1}, "1 clearing"),
        ({}, "Nothing yet"),
    ],
)
def test_the_title_says_the_same_in_few_words(given: dict[str, int], title: str) -> None:
    assert verdict(counts(**given), Level.DOWN).title == title
