"""Silences: what fits, how they end, and that they mute no judging."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from alerts.core.conditions import Condition
from alerts.models import Incident, Silence
from alerts.pruning import prune_told
from tests.integration.alerts.world import World, standing

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def incident() -> Incident:
    """Return an incident of a row of the workload shop on the host west."""
    world = World()
    world.row(state="failed")
    world.look()
    return Incident.objects.get()


@pytest.mark.parametrize(
    ("named", "fits"),
    [
        ({}, True),
        ({"host": "west"}, True),
        ({"host": "east"}, False),
        ({"workload_id": "shop"}, True),
        ({"condition": "failed"}, True),
        ({"host": "west", "condition": "missing"}, False),
    ],
)
def test_a_silence_fits_what_has_all_that_it_names(named: dict[str, str], fits: bool) -> None:
    made, now = incident(), timezone.now()
    Silence.objects.create(**named, begins_at=now, ends_at=now + HOUR)
    assert list(Incident.objects.silenced(now)) == ([made] if fits else [])


def test_a_silence_that_has_ended_or_not_begun_fits_nothing() -> None:
    incident()
    now = timezone.now()
    Silence.objects.create(begins_at=now - HOUR, ends_at=now)
    Silence.objects.create(begins_at=now + HOUR, ends_at=now + 2 * HOUR)
    assert not Incident.objects.silenced(now).exists()


def test_what_is_silenced_is_judged_all_the_same() -> None:
    world = World()
    Silence.objects.create(begins_at=world.at - HOUR, ends_at=world.at + HOUR)
    world.row(state="failed")
    world.look()
    assert standing() == ["failed"]


def test_every_silence_ends_and_not_before_it_begins() -> None:
    now = timezone.now()
    with pytest.raises(ValidationError, match="ends after it begins"):
        Silence(begins_at=now, ends_at=now - HOUR).full_clean()
    with pytest.raises(ValidationError, match="cannot be null"):
        Silence(begins_at=now).full_clean()


def run(*words: str) -> str:
    out = StringIO()
    call_command("silence", *words, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_adds_lists_and_ends_silences() -> None:
    run("add", "90", "--host", "west", "--condition", Condition.MISSING, "--reason", "new disks")
    silence = Silence.objects.get()
    assert "host west, condition missing" in run("list")
    assert "new disks" in run("list")
    run("end", str(silence.pk))
    assert run("list").startswith("nothing is silenced")
    assert not Silence.objects.active(timezone.now()).exists()


@pytest.mark.parametrize("words", [("add", "0"), ("add", "50000"), ("end", "77"), ("add", "5", "--host", "x" * 200)])
def test_the_command_says_what_it_cannot_do(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        run(*words)
    assert refused.value.returncode == 1


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("olga"))
    return client


def test_who_is_on_call_acknowledges_in_the_admin(operator: Client) -> None:
    made = incident()
    operator.post("/admin/alerts/incident/", {"action": "acknowledge", "_selected_action": [made.pk]})
    made.refresh_from_db()
    assert (made.acknowledged_by, made.acknowledged_at is not None) == ("olga", True)


def test_nobody_edits_in_the_admin_what_the_judge_has_written(operator: Client) -> None:
    made = incident()
    page = f"/admin/alerts/incident/{made.pk}/change/"
    assert operator.get(page).status_code == 200
    assert b'name="phase"' not in operator.get(page).content
    assert operator.post(page, {"phase": "resolved"}).status_code == 403


def test_the_judge_forgets_nobody_who_has_acknowledged() -> None:
    world = World()
    world.row(state="failed")
    world.look()
    Incident.objects.update(acknowledged_by="olga", acknowledged_at=world.at)
    world.row(state="running")
    world.look()
    made = Incident.objects.get()
    assert (made.phase, made.acknowledged_by) == ("resolved", "olga")


def test_a_silence_is_made_and_ended_in_the_admin(operator: Client) -> None:
    ends = timezone.now() + HOUR
    form = {"host": "west", "begins_at_0": "2026-01-01", "begins_at_1": "10:00"}
    operator.post(
        "/admin/alerts/silence/add/", {**form, "ends_at_0": f"{ends:%Y-%m-%d}", "ends_at_1": f"{ends:%H:%M:%S}"}
    )
    silence = Silence.objects.get()
    assert (silence.host, silence.by) == ("west", "olga")
    operator.post("/admin/alerts/silence/", {"action": "end_now", "_selected_action": [silence.pk]})
    assert not Silence.objects.active(timezone.now()).exists()


def test_a_silence_is_deleted_when_it_ended_longer_ago_than_history_is_kept(settings: Settings) -> None:
    now, kept = timezone.now(), timedelta(days=settings.TRANSITION_DAYS)
    for reason, ends_at in (("old", now - kept - HOUR), ("over", now - kept + HOUR), ("active", now + HOUR)):
        Silence.objects.create(begins_at=now - kept - 2 * HOUR, ends_at=ends_at, reason=reason)
    assert prune_told(now) == 1
    assert sorted(Silence.objects.values_list("reason", flat=True)) == ["active", "over"]
