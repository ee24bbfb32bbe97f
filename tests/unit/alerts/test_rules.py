"""The rules, and how settings change them."""

from datetime import timedelta

import pytest

from alerts.core.conditions import Condition, Severity
from alerts.core.labels import harmless_exits
from alerts.core.rules import DEFAULTS, BadRule, Rule, rules
from reconciler.core.labels import ALERTS, ALERTS_EXIT, alerts_word

HALF_A_MINUTE = timedelta(seconds=30)


def test_every_condition_has_a_rule() -> None:
    assert set(DEFAULTS) == set(Condition)


def test_a_word_changes_delay_clearing_and_severity() -> None:
    made = rules(["missing=120/90/notify"], HALF_A_MINUTE)
    assert made[Condition.MISSING] == Rule(timedelta(seconds=120), timedelta(seconds=90), Severity.NOTIFY)


def test_a_word_switches_a_condition_off() -> None:
    assert set(DEFAULTS) - set(rules(["drift=off", "host=off"], HALF_A_MINUTE)) == {Condition.DRIFT, Condition.HOST}


def test_no_host_is_told_of_before_three_intervals() -> None:
    made = rules([], timedelta(seconds=300))
    assert {made[each].opens_after.total_seconds() for each in (Condition.HOST, Condition.BLIND)} == {900}


@pytest.mark.parametrize(
    "word", ["missing", "missing=on", "gone=off", "missing=60/60/loud", "missing=-1/60/page", "missing=9999999/0/page"]
)
def test_a_word_that_is_no_rule_is_refused(word: str) -> None:
    with pytest.raises(BadRule, match=word):
        rules([word], HALF_A_MINUTE)


def test_what_is_no_exit_code_in_a_label_is_left_out() -> None:
    assert harmless_exits("3, x,٣,4") - harmless_exits("") == {3, 4}


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        ({}, ""),
        ({ALERTS: "off"}, "off"),
        ({ALERTS: "OFF ", ALERTS_EXIT: "3"}, "off"),
        ({ALERTS: "on"}, ""),
        ({ALERTS_EXIT: "3, 75"}, "3,75"),
        ({ALERTS_EXIT: "three"}, ""),
        ({ALERTS_EXIT: "1," * 100 + "1"}, ""),
    ],
)
def test_the_labels_of_a_container_say_what_nobody_wants_to_be_told(labels: dict[str, str], word: str) -> None:
    assert alerts_word(labels) == word
