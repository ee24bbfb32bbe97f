"""Logins: who guesses is locked out, only a trusted proxy names addresses, and what is done is written down."""

import logging

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from web.address import client_address

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
ROLES = ("viewer", "operator")
PASSWORD = "correct horse battery"


@pytest.fixture
def ann() -> User:
    return User.objects.create_superuser("ann", password=PASSWORD)


def log_in(client: Client, password: str = PASSWORD, name: str = "ann", **headers: str) -> int:
    return client.post(LOGIN, {"username": name, "password": password}, **headers).status_code  # type: ignore[arg-type]


def test_after_a_login_the_site_opens(client: Client, ann: User) -> None:
    answer = client.post(LOGIN, {"username": "ann", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_after_five_wrong_passwords_the_right_one_is_of_no_use(client: Client, ann: User) -> None:
    assert [log_in(client, "wrong") for _ in range(5)][-1] == 429
    assert log_in(client) == 429


def test_who_guesses_locks_out_nobody_at_another_address(client: Client, ann: User) -> None:
    for _ in range(6):
        log_in(client, "wrong", REMOTE_ADDR="10.0.0.1")
    assert log_in(client, REMOTE_ADDR="10.0.0.2") == 302


def test_who_guesses_one_name_locks_out_no_other_name(client: Client, ann: User) -> None:
    for _ in range(6):
        log_in(client, "wrong", name="bob")
    assert log_in(client) == 302


def test_a_locked_out_name_is_let_in_again_by_a_command(client: Client, ann: User) -> None:
    for _ in range(6):
        log_in(client, "wrong")
    call_command("axes_reset_username", "ann", verbosity=0)
    assert log_in(client) == 302


def test_a_client_that_names_another_address_at_each_try_is_locked_out_all_the_same(client: Client, ann: User) -> None:
    for number in range(6):
        log_in(client, "wrong", HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")
    assert log_in(client, HTTP_X_FORWARDED_FOR="10.0.0.99") == 429


def test_a_failed_login_is_logged_with_name_and_address(
    client: Client, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "web.audit"):
        log_in(client, "wrong", name="ann\n", REMOTE_ADDR="10.0.0.1")
    said = [record.message for record in caplog.records if record.name == "web.audit"]
    assert said == ["a login as 'ann' from 10.0.0.1 failed"]


def test_a_login_leaves_an_entry_in_the_admins_log(client: Client, ann: User) -> None:
    log_in(client, REMOTE_ADDR="10.0.0.1")
    assert LogEntry.objects.get().change_message == "Logged in from 10.0.0.1."


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("10.0.0.1", "192.0.2.7", "10.0.0.1"),
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7, 127.0.0.9", "192.0.2.7"),
        ("127.0.0.1", "nobody", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("", "192.0.2.7", ""),
        ("::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    remote: str, forwarded: str, address: str, settings: object
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.0/8", "::1/128"]  # type: ignore[attr-defined]
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_a_viewer_may_look_and_do_nothing_else() -> None:
    held = set(Group.objects.get(name="viewer").permissions.values_list("codename", flat=True))
    tables = ("container", "deployment", "host", "instance", "outage", "stack", "transition", "workload")
    assert held == {f"view_{name}" for name in tables}


def test_an_operator_may_look_ask_for_a_pass_and_acknowledge_and_do_nothing_else() -> None:
    looks, asks = (Group.objects.get(name=name).permissions.values_list("codename", flat=True) for name in ROLES)
    assert set(asks) == {*looks, "ask_for_pass", "change_incident"}


def test_what_a_person_gave_a_role_stays_after_a_migrate() -> None:
    from django.contrib.auth.models import Permission

    group = Group.objects.get(name="viewer")
    group.permissions.add(Permission.objects.get(codename="change_workload"))
    call_command("migrate", verbosity=0)
    assert group.permissions.filter(codename="change_workload").exists()


def test_no_answer_lets_a_page_load_anything_from_elsewhere(client: Client) -> None:
    headers = client.get(LOGIN).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "camera=()" in headers["Permissions-Policy"]


def test_static_files_are_for_this_site_alone(client: Client, settings: Settings) -> None:
    settings.WHITENOISE_USE_FINDERS = True
    answer = client.get("/static/reconciler/admin.css")
    answer.close()
    assert (answer.status_code, answer.has_header("Access-Control-Allow-Origin")) == (200, False)


def test_there_is_no_profile_page(client: Client) -> None:
    assert client.get("/accounts/profile/").status_code == 404


def test_a_session_ends(client: Client, ann: User) -> None:
    log_in(client)
    assert client.session.get_expiry_age() == 12 * 3600


def test_a_name_of_any_length_is_refused_and_locked_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A database holds only so much of a name, and the log is told no more."""
    with caplog.at_level(logging.WARNING, "web.audit"):
        assert [log_in(client, "wrong", name="x" * 5_000) for _ in range(5)][-1] == 429
    assert max(len(record.message) for record in caplog.records if record.name == "web.audit") < 300


@pytest.mark.parametrize("path", ["/", "/api/v1/containers"])
def test_a_session_that_no_database_can_look_for_is_none(client: Client, path: str) -> None:
    """PostgreSQL refuses a NUL, which a cookie can hold as an escape."""
    answer = client.get(path, headers={"Cookie": r'sessionid="abcdefgh\000ijklmnop"'})
    assert answer.status_code == client.get(path).status_code
