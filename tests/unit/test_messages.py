"""What a message says: its subject on a phone, its text, its HTML, and the body of a webhook."""

import json
from datetime import timedelta
from typing import Any

import pytest

from alerts.core.letter import Letter
from alerts.core.payload import LONGEST_BODY, body_of
from alerts.core.titles import subject_of
from alerts.sending.rendering import rendered
from tests.letters import NOW, entries, entry, letter

OVER = entry(over_at=NOW)
SUBJECTS = [
    (letter(begun=entries(entry())), "✗ shop:web missing · berlin"),
    (letter(begun=entries(entry(), entry("shop:db"))), "✗ 2 missing · berlin"),
    (letter(begun=entries(entry(), entry("shop:db", short="unhealthy"))), "✗ 2 alerts · berlin"),
    (letter(begun=entries(entry(), left_out=4_999)), "✗ 5,000 alerts · berlin"),
    (letter(begun=entries(entry()), over=entries(OVER)), "✗ shop:web missing · berlin, 1 over"),
    (letter(over=entries(OVER)), "✓ shop:web · berlin: over after 12 min"),
    (letter(over=entries(OVER, OVER)), "✓ 2 alerts over · berlin"),
    (letter(over=entries(OVER), stands=entries(entry())), "✓ shop:web · berlin: over after 12 min, 1 still there"),
    (letter(stands=entries(entry())), "✗ still: shop:web missing · berlin"),
    (letter(begun=entries(entry("host berlin", short="cannot be seen"))), "✗ host berlin cannot be seen"),
    (letter(begun=entries(entry("the index", short="has no worker")), host=""), "✗ the index has no worker"),
    (letter(begun=entries(entry("w" * 99))), f"✗ {'w' * 39}… missing · berlin"),
    (letter(begun=entries(entry("a\r\nBcc: b"))), "✗ a Bcc: b missing · berlin"),
    (letter(is_test=True), "Test: alerts of the container index arrive here"),
]


@pytest.mark.parametrize(("given", "subject"), SUBJECTS, ids=[subject for _, subject in SUBJECTS])
def test_a_subject_says_what_is_the_matter_first(given: Letter, subject: str) -> None:
    assert subject_of(given) == subject


FULL = letter(
    begun=entries(
        entry(
            why=["exit 1", "it ran for 3 days"],
            link="https://index.example.org/containers/shop:web",
        ),
    ),
    over=entries(entry("shop:cache", over_at=NOW)),
    stands=entries(entry("shop:db", short="unhealthy")),
    mute="give its container the label tinyforge.alerts=off",
    link="https://index.example.org/",
)
SAID = [
    *("shop:web", "gone from its host", "berlin", "2026-11-25 14:18 UTC", "exit 1", "it ran for 3 days"),
    *(
        "Also wrong there",
        "shop:db",
        "the label tinyforge.alerts=off",
        "https://index.example.org/containers/shop:web",
    ),
    *("shop:cache", "it took 12 min", "0192-id", "2026-11-25 14:30 UTC"),
    *("How everything is", "https://index.example.org/"),
]


def test_a_message_about_many_tells_each_in_a_line_and_how_many_more_there_are() -> None:
    mail = rendered(letter(begun=entries(*(entry(f"shop:{n}", why=["exit 1"]) for n in range(20)), left_out=4_980)))
    assert ("shop:19" in mail.html, "exit 1" in mail.html, "4,980 more" in mail.html) == (True, True, True)
    assert mail.html.count("Since") == 0


@pytest.mark.parametrize("form", ["text", "html"])
def test_a_message_says_what_where_since_when_why_what_else_and_how_it_is_muted(form: str) -> None:
    text = getattr(rendered(FULL), form)
    assert [said for said in SAID if said not in text] == []


def test_the_text_of_a_message_is_not_escaped_and_its_html_is() -> None:
    mail = rendered(letter(begun=entries(entry(why=["<script>alert(1)</script> & more"]))))
    assert "<script>alert(1)</script> & more" in mail.text
    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html


def test_a_text_has_no_lines_that_are_empty_for_no_reason() -> None:
    assert "\n\n\n" not in rendered(FULL).text
    assert "\n\n\n" not in rendered(letter(is_test=True)).text


def body(given: Letter) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body_of(given))
    return told


def test_a_webhook_says_what_has_begun_and_what_is_over() -> None:
    told = body(FULL)
    assert told["type"] == "tinyforge.incidents"
    data = told["data"]
    assert (data["id"], data["host"], data["severity"]) == ("0192-id", "berlin", "page")
    assert (data["begun"]["count"], data["begun"]["told"][0]["what"]) == (1, "shop:web")
    assert data["begun"]["told"][0]["over_at"] is None
    assert data["over"]["told"][0]["lasted_seconds"] == 720
    assert data["stands"]["count"] == 1


def test_the_body_of_a_webhook_stays_small_and_still_says_how_many_there_are() -> None:
    many = [entry("w" * 500, sentence="s" * 900, why=["y" * 900] * 5, over_at=None) for _ in range(20)]
    large = letter(begun=entries(*many), over=entries(*many), stands=entries(*many))
    assert len(body_of(large)) <= LONGEST_BODY
    assert body(large)["data"]["begun"]["count"] == 20


def test_a_test_is_told_to_be_one() -> None:
    assert body(letter(is_test=True))["type"] == "tinyforge.test"


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "5 s"), (90, "1 min"), (7_300, "2 h"), (200_000, "2 days"), (-5, "0 s")]
)
def test_a_resolution_says_how_long_it_took(seconds: int, said: str) -> None:
    ended = entry(since=NOW - timedelta(seconds=seconds), over_at=NOW)
    assert subject_of(letter(over=entries(ended))).endswith(f"over after {said}")
