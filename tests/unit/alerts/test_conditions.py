"""Conditions of incidents."""

from alerts.core.conditions import CONDITION_WORDS, Condition, SubjectKind, subject_kind


def test_every_condition_has_words() -> None:
    assert set(CONDITION_WORDS) == set(Condition)


def test_a_condition_is_about_a_row_a_host_or_the_index() -> None:
    kinds = [subject_kind(each) for each in (Condition.MISSING, Condition.HELD, Condition.BLIND)]
    assert kinds == [SubjectKind.ROW, SubjectKind.HOST, SubjectKind.INDEX]
