"""The readers of settings: what they accept, and what they say of what they refuse."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from reconciler.core.engine_url import without_password
from tests.starting import KEY
from tinyforge.env import Env

PASSWORD = "hunter2"


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_a_flag_can_be_on(value: str) -> None:
    assert Env({"DEBUG": value}).flag("DEBUG", default=False) is True


@pytest.mark.parametrize("value", ["0", "False", "no", "OFF"])
def test_a_flag_can_be_off(value: str) -> None:
    assert Env({"DEBUG": value}).flag("DEBUG", default=True) is False


@pytest.mark.parametrize("value", ["", "  "])
def test_empty_counts_as_unset(value: str) -> None:
    env = Env({"X": value})
    assert (env.text("X", "a"), env.flag("X", default=True), env.number("X", 3), env.words("X", ["b"])) == (
        "a", True, 3, ["b"],
    )  # fmt: skip


def test_words_are_separated_by_commas_and_cleaned() -> None:
    assert Env({"X": " a, b ,,c,"}).words("X") == ["a", "b", "c"]


def test_a_choice_may_be_given_in_lower_case() -> None:
    assert Env({"LOG_LEVEL": "debug"}).choice("LOG_LEVEL", "INFO", ["INFO", "DEBUG"]) == "DEBUG"


@pytest.mark.parametrize(("value", "number"), [("5", 5), ("0.5", 0.5), ("300", 300), (" 7 ", 7)])
def test_a_number_within_its_limits_is_taken(value: str, number: float) -> None:
    assert Env({"X": value}).number("X", 1, above=0, most=300) == number


@pytest.mark.parametrize("value", ["0", "-1", "300.1", "nan", "inf", "-inf", "ten", "1e999", "5s"])
def test_a_number_outside_its_limits_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X='.*' is not usable; allowed: a number greater than 0 and not"):
        Env({"X": value}).number("X", 1, above=0, most=300)


@pytest.mark.parametrize(("value", "number"), [("", 3), ("0", 0), (" 7 ", 7), ("10", 10)])
def test_a_whole_number_within_its_range_is_taken(value: str, number: int) -> None:
    assert Env({"X": value}).whole("X", 3, least=0, most=10) == number


@pytest.mark.parametrize("value", ["-1", "11", "1.0", "1e1", "ten", "nan"])
def test_a_whole_number_outside_its_range_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X='.*' is not usable; allowed: a whole number from 0 to 10$"):
        Env({"X": value}).whole("X", 3, least=0, most=10)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_without_limits_is_finite(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="allowed: a number"):
        Env({"X": value}).number("X", 1)


@pytest.mark.parametrize("value", ["redis", "http://here", "redis://", "redis://host:port", "redis://[", "redis:///"])
def test_a_url_that_cannot_be_used_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X=.*allowed: redis://… or unix://…"):
        Env({"X": value}).url("X", "", ["redis", "unix"])


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert Env({"SECRET_KEY_FILE": str(tmp_path / "key")}).secret("SECRET_KEY") == KEY


def test_a_secret_in_the_environment_wins_over_its_file() -> None:
    assert Env({"SECRET_KEY": "a", "SECRET_KEY_FILE": "/nowhere"}).secret("SECRET_KEY") == "a"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secret_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=f"^SECRET_KEY_FILE='{path}' is not usable; allowed: a "):
        Env({"SECRET_KEY_FILE": str(path)}).secret("SECRET_KEY")


@pytest.mark.parametrize(
    "url", [f"redis://user:{PASSWORD}@host:1/0", f"redis://:{PASSWORD}@host", f"r://:{PASSWORD}@["]
)
def test_a_url_is_shown_without_its_password_and_still_names_the_place(url: str) -> None:
    shown = without_password(url)
    assert PASSWORD not in shown
    assert shown.endswith(url.rpartition("@")[2])


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert without_password("redis://host:1/0") == "redis://host:1/0"


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://user:{PASSWORD}@host/db",
        f"redis://user:{PASSWORD}@host:port/0",
        f"redis://user:{PASSWORD}@host:99999/0",
        f"redis://user:{PASSWORD}@[host",
        f"redis://user:{PASSWORD}/more@host/0",
        f"redis://user:more#{PASSWORD}@host/0",
        f"redis://user:more?{PASSWORD}@host/0",
        f"//user:{PASSWORD}@host",
        f"user:{PASSWORD}@host",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Env({"REDIS_URL": url}).url("REDIS_URL", "", ["redis"])
    assert PASSWORD not in str(caught.value)
