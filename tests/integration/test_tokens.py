"""Tokens: shown once, kept as a digest, and good for no more than they say and no longer."""

import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from web.durations import read_duration
from web.models import Scope, Token

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_token_is_found_by_its_text() -> None:
    token, text = Token.objects.issue("ci", Scope.READ)
    assert Token.objects.find(text, NOW) == token


def test_the_text_is_kept_nowhere() -> None:
    token, text = Token.objects.issue("ci", Scope.READ)
    secret = text.removeprefix(f"tf_{token.prefix}_")
    assert not any(secret in str(value) for value in Token.objects.values().get().values())


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "x", lambda t: "", lambda t: "é", lambda t: "x" * 999]
)
def test_another_text_finds_nothing(spoil: Callable[[str], str]) -> None:
    _, text = Token.objects.issue("ci", Scope.READ)
    assert Token.objects.find(spoil(text), NOW) is None


def test_an_expired_token_is_not_found() -> None:
    _, text = Token.objects.issue("ci", Scope.READ, NOW + timedelta(days=1))
    assert Token.objects.find(text, NOW + timedelta(hours=23)) is not None
    assert Token.objects.find(text, NOW + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("has", "asked", "allowed"),
    [("read", "read", True), ("read", "deploy", False), ("deploy", "read", True), ("deploy", "admin", False)],
)
def test_a_scope_includes_those_before_it(has: str, asked: str, allowed: bool) -> None:
    assert Token(scope=has).allows(Scope(asked)) is allowed


def test_the_last_use_is_noted_at_most_once_a_minute() -> None:
    token, _ = Token.objects.issue("ci", Scope.READ)
    for seconds in (0, 30, 59, 60, 61):
        Token.objects.note_use(Token.objects.get(), NOW + timedelta(seconds=seconds))
    token.refresh_from_db()
    assert token.last_used_at == NOW + timedelta(seconds=60)


def test_a_last_use_that_a_wrong_clock_has_put_ahead_is_noted_anew() -> None:
    token, _ = Token.objects.issue("ci", Scope.READ)
    for at in (NOW + timedelta(days=1), NOW):
        Token.objects.note_use(Token.objects.get(), at)
    token.refresh_from_db()
    assert token.last_used_at == NOW


def test_the_command_prints_a_token_that_works() -> None:
    text, said = run("add", "ci", "--scope", "deploy", "--expires", "90d")
    token = Token.objects.find(text.strip(), timezone.now())
    assert token is not None
    assert token.expires_at is not None
    assert (token.scope, round((token.expires_at - timezone.now()).total_seconds() / 86_400)) == ("deploy", 90)
    assert "shown only now" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--expires", "soon"], "no duration"),
        (["--expires", "0d"], "no duration"),
    ],
)
def test_a_token_that_cannot_be_made_is_refused_with_a_reason(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        run("add", "ci", *arguments)
    assert not Token.objects.exists()


def test_a_name_is_taken_once() -> None:
    run("add", "ci")
    with pytest.raises(CommandError, match="already exists"):
        run("add", "ci")


def test_tokens_are_listed_without_their_secrets_and_removed() -> None:
    text, _ = run("add", "ci")
    listed, _ = run("list")
    assert listed.startswith("ci  tf_")
    assert text.strip() not in listed
    run("remove", "ci")
    assert Token.objects.find(text.strip(), timezone.now()) is None


def test_removing_what_is_not_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="there is no token nobody"):
        run("remove", "nobody")


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("12h", 43_200), ("2d", 172_800)])
def test_durations_have_a_unit(text: str, seconds: int) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


def test_the_admin_shows_a_new_token_once(admin_client: Client) -> None:
    page = admin_client.post("/admin/web/token/add/", {"name": "ci", "scope": "read"}, follow=True)
    (text,) = re.findall(r"tf_[0-9a-f]{8}_[\w-]{43}", page.content.decode())
    assert Token.objects.find(text, timezone.now()) is not None
    assert text not in admin_client.get("/admin/web/token/").content.decode()


def test_the_admin_gives_a_token_no_other_scope_later(admin_client: Client) -> None:
    token, _ = Token.objects.issue("ci", Scope.READ)
    admin_client.post(f"/admin/web/token/{token.pk}/change/", {"name": "new", "scope": "admin"})
    token.refresh_from_db()
    assert (token.name, token.scope) == ("new", "read")
