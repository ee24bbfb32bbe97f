"""What people are told of, on the pages: it leads, says who was told, and whoever is on call acknowledges it there."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from alerts.core.conditions import Condition, Phase, Severity
from alerts.models import DeliveryState, Incident, Message, MessageState, Silence
from reconciler.models import Host
from tests.channels import channel, fire
from tests.integration.test_queries import recorded
from tests.pages import HOSTILE, make_row, text_of
from web.pages.live import RENDERINGS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    RENDERINGS.forget()


def logged_in(name: str, group: str) -> Client:
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=group))
    made = Client()
    made.force_login(user)
    return made


@pytest.fixture
def viewer() -> Client:
    return logged_in("vera", "viewer")


@pytest.fixture
def operator() -> Client:
    return logged_in("olga", "operator")


def now() -> datetime:
    return timezone.now()


def wrong(row_id: str = "shop:web", **more: Any) -> Incident:
    """Make a row that is gone from its host, of which people are told."""
    make_row(row_id, "missing")
    return told(row_id, **more)


def told(subject: str, **more: Any) -> Incident:
    return fire(subject, at=now(), **({"host": "local"} | more))


def send(incident: Incident) -> None:
    """Let all that is to be told be told."""
    message = Message.objects.create(
        channel=incident.deliveries.get().channel, made_at=now(), next_attempt_at=now(), sent_at=now(),
        state=MessageState.SENT,
    )  # fmt: skip
    incident.deliveries.update(state=DeliveryState.SENT, message=message)


def lines(client: Client, path: str = "/") -> list[str]:
    """Return the text of each line of what is wrong."""
    RENDERINGS.forget()
    page = client.get(path).content.decode()
    return [text_of(each) for each in re.findall(r'<li class="thing.*?</li>', page, re.DOTALL)]


def heads(client: Client) -> list[str]:
    """Return the head of each line of what is wrong."""
    RENDERINGS.forget()
    page = client.get("/").content.decode()
    found = re.findall(r'<li class="thing.*?<p class="head">(.*?)</p>', page, re.DOTALL)
    return [text_of(each) for each in found]


def verdict(client: Client) -> str:
    RENDERINGS.forget()
    found = re.search("<h1>(.*?)</h1>", client.get("/").content.decode())
    return found[1] if found else ""


# One trouble is one line


def test_a_trouble_that_people_are_told_of_is_one_line_that_says_whom(viewer: Client) -> None:
    channel("ops")
    incident = wrong()
    send(incident)
    (line,) = lines(viewer)
    when = r"[-\d]+ [:\d]+ UTC"
    said = rf"shop:web is gone from its host Since {when} \(1.minute ago\) page told to ops at {when} · Incident "
    assert re.match(said + str(incident.pk), line)
    assert verdict(viewer) == "1 thing wants you. 0 containers are as they should be."


def test_what_is_not_sent_yet_is_not_said_to_be_told(viewer: Client) -> None:
    channel("ops")
    wrong()
    assert "not told yet to ops" in lines(viewer)[0]


def test_a_channel_that_was_given_up_is_named(viewer: Client) -> None:
    channel("ops")
    wrong().deliveries.update(state=DeliveryState.DEAD)
    assert "could not be told to ops" in lines(viewer)[0]


def test_without_a_channel_the_line_says_that_nobody_is_told(viewer: Client) -> None:
    wrong()
    assert "told to nobody: no channel is set up for it" in lines(viewer)[0]


def test_a_pending_incident_is_not_shown_as_if_somebody_had_been_told(operator: Client) -> None:
    channel("ops")
    wrong(phase=Phase.PENDING, fires_at=now() + timedelta(minutes=2))
    (line,) = lines(operator)
    assert "nobody is told yet, and not before" in line
    assert "told to" not in line
    assert "Acknowledge" not in line


def test_a_pending_incident_that_a_deploy_mutes_says_so(viewer: Client) -> None:
    wrong(phase=Phase.PENDING, is_muted=True)
    assert "nobody is told yet: a deploy, or an incident that stands for it, mutes it" in lines(viewer)[0]


def test_a_row_whose_labels_turn_alerts_off_says_so(viewer: Client) -> None:
    make_row("shop:web", "missing", alerts="off")
    assert "nobody is told: its label says so" in lines(viewer)[0]


def test_a_silence_says_until_when_by_whom_and_why(viewer: Client) -> None:
    wrong()
    lasts = {"begins_at": now() - timedelta(hours=1), "ends_at": now() + timedelta(hours=1)}
    Silence.objects.create(host="local", reason="new disks", by="olga", **lasts)
    Silence.objects.create(host="elsewhere", reason="not this one", **lasts)
    (line,) = lines(viewer)
    assert re.search(r"silenced until .* UTC by olga \(new disks\)", line)
    assert "not this one" not in line


def test_of_several_silences_the_one_that_lasts_longest_is_told(viewer: Client) -> None:
    wrong()
    for hours, reason in ((1, "short"), (3, "long"), (2, "middle")):
        Silence.objects.create(begins_at=now(), ends_at=now() + timedelta(hours=hours), reason=reason)
    assert "(long)" in lines(viewer)[0]


def test_two_incidents_of_one_row_are_one_line_that_names_them_both(viewer: Client) -> None:
    wrong()
    told("shop:web", condition=Condition.ORPHAN, severity=Severity.DIGEST)
    (line,) = lines(viewer)
    assert "page gone from its host: told" in line
    assert "digest its workload does not exist: told" in line
    assert verdict(viewer) == "1 thing wants you. 0 containers are as they should be."


def test_another_trouble_than_the_one_that_people_are_told_of_is_not_shown_as_told(viewer: Client) -> None:
    make_row("shop:web", "paused")
    told("shop:web", condition=Condition.OOM, severity=Severity.NOTIFY)
    (line,) = lines(viewer)
    assert "shop:web is paused" in line
    assert "killed for want of memory: told to nobody" in line


# What comes first


def test_what_people_are_told_of_comes_first_by_how_much_it_matters(viewer: Client) -> None:
    for row_id, state in (("a:untold", "missing"), ("b:notify", "running"), ("c:digest", "running")):
        make_row(row_id, state, health="unhealthy" if row_id == "b:notify" else "")
    told("c:digest", condition=Condition.OOM, severity=Severity.DIGEST)
    told("b:notify", condition=Condition.UNHEALTHY, severity=Severity.NOTIFY)
    wrong("d:page")
    found = [each.split()[0] for each in heads(viewer)]
    assert found == ["d:page", "b:notify", "c:digest", "a:untold"]
    assert verdict(viewer) == "4 things want you. 1 container is as it should be."


def test_what_somebody_looks_after_comes_after_what_nobody_does(viewer: Client) -> None:
    wrong("a:web", acknowledged_at=now(), acknowledged_by="olga")
    wrong("b:web")
    assert [each.split()[0] for each in heads(viewer)] == ["b:web", "a:web"]


def test_what_nobody_is_told_of_yet_comes_after_what_people_are_told_of(viewer: Client) -> None:
    wrong("a:web", phase=Phase.PENDING)
    wrong("b:web", severity=Severity.DIGEST)
    assert [each.split()[0] for each in heads(viewer)] == ["b:web", "a:web"]


def test_of_more_than_are_shown_the_most_important_are(viewer: Client) -> None:
    for number in range(60):
        wrong(f"a:{number:02}", severity=Severity.DIGEST)
    wrong("z:last", severity=Severity.NOTIFY)
    assert heads(viewer)[0].startswith("z:last")


def test_of_more_than_are_shown_those_that_people_are_told_of_are(viewer: Client) -> None:
    for number in range(60):
        make_row(f"a:{number:02}", "missing")
    wrong("z:last", severity=Severity.DIGEST)
    assert heads(viewer)[0].startswith("z:last")
    assert "and 11 more" in text_of(viewer.get("/").content)


# What is in no trouble now, and not over yet


def test_what_seems_to_be_well_again_has_a_line_until_it_is_over(viewer: Client) -> None:
    make_row("shop:web")
    told("shop:web", phase=Phase.CLEARING, clears_at=now() + timedelta(minutes=1))
    (line,) = lines(viewer)
    assert "shop:web seems to be well again" in line
    assert re.search(r"gone from its host: over at .*, unless it comes back", line)
    assert verdict(viewer) == "1 thing seems to be well again. 1 container is as it should be."


def test_what_was_killed_and_runs_again_still_wants_somebody(viewer: Client) -> None:
    make_row("shop:web")
    told("shop:web", condition=Condition.OOM, severity=Severity.NOTIFY, exit_code=137, cause="it died")
    (line,) = lines(viewer)
    assert "shop:web was killed for want of memory" in line
    assert "exit 137 (killed); it died; its state: running" in line
    assert "On local:docker logs --tail 50" in line
    assert verdict(viewer) == "1 thing wants you. 1 container is as it should be."


def test_what_is_over_has_no_line(viewer: Client) -> None:
    make_row("shop:web")
    told("shop:web", phase=Phase.RESOLVED, resolved_at=now())
    assert lines(viewer) == []
    assert verdict(viewer) == "The only container on 1 host is as it should be."


def test_an_incident_of_a_row_that_is_gone_from_the_index_has_no_line(viewer: Client) -> None:
    make_row("shop:web")
    told("shop:gone")
    assert lines(viewer) == []
    assert verdict(viewer) == "The only container on 1 host is as it should be."


# Hosts, and the index itself


def test_a_host_that_cannot_be_seen_stays_one_line_with_its_incident(viewer: Client) -> None:
    for number in range(5):
        make_row(f"shop:web{number}")
    Host.objects.update(last_error="refused", failures=3)
    told("local", condition=Condition.HOST, cause="secret.example refused")
    told("shop:web1")
    (line,) = lines(viewer)
    assert "Host local cannot be seen ◌ 5 rows not known" in line
    assert "people were told of 1 row there, of which nothing is known now" in line
    assert "told to nobody" in line
    assert verdict(viewer) == "1 thing wants you. 5 are not known."


def test_what_an_engine_said_is_in_no_incident_that_a_viewer_sees(viewer: Client) -> None:
    incident = told("local", condition=Condition.HOST, cause="secret.example refused")
    for path in ("/", f"/incidents/{incident.pk}", "/hosts/local"):
        assert "secret.example" not in text_of(viewer.get(path).content)


def test_what_an_engine_said_is_told_by_the_admin_only_to_those_who_may_change_hosts(
    operator: Client, admin_client: Client
) -> None:
    User.objects.update(is_staff=True)
    path = (
        f"/admin/alerts/incident/{told('local', condition=Condition.HOST, cause='secret.example refused').pk}/change/"
    )
    assert ["secret.example" in text_of(each.get(path).content) for each in (operator, admin_client)] == [False, True]


def test_a_host_that_answers_again_has_a_line_until_it_is_over(viewer: Client) -> None:
    told("local", condition=Condition.HOST, phase=Phase.CLEARING, clears_at=now())
    assert heads(viewer) == ["Host local seems to be well again"]


def test_a_host_that_loses_events_has_a_line(viewer: Client) -> None:
    told("local", condition=Condition.DRIFT, severity=Severity.DIGEST)
    assert heads(viewer) == ["Host local has changed without events"]
    assert verdict(viewer).startswith("1 thing wants you.")


def test_many_hosts_of_which_the_index_itself_is_told_are_one_line(viewer: Client) -> None:
    make_row("shop:web")
    for number in range(7):
        Host.objects.create(name=f"h{number}", last_error="refused", failures=3, last_success_at=now())
    make_row("shop:db", host_id="h0")
    told("", condition=Condition.BLIND, host="")
    told("h6", condition=Condition.HOST, host="h6")
    first, second = lines(viewer)
    assert "The index cannot see its hosts ◌ 1 row not known" in first
    assert "6 hosts: h0, h1, h2, h3, h4, …" in first
    assert "Host h6 cannot be seen" in second
    assert verdict(viewer).startswith("2 things want you.")


def test_what_nobody_is_told_of_yet_has_no_line_of_its_own(viewer: Client) -> None:
    told("local", condition=Condition.DRIFT, phase=Phase.PENDING)
    told("", condition=Condition.NO_BEAT, host="", phase=Phase.PENDING)
    assert lines(viewer) == []
    assert verdict(viewer) == "No container is known yet on 1 host."


def test_hosts_that_nobody_looks_at_and_the_incident_of_it_are_one_line(viewer: Client) -> None:
    Host.objects.create(name="other")
    Host.objects.update(last_success_at=now() - timedelta(hours=1), last_attempt_at=now() - timedelta(hours=1))
    told("", condition=Condition.NO_WORKER, host="", cause="nobody looks at local, other")
    (line,) = lines(viewer)
    assert "Nobody looks at 2 hosts" in line
    assert "no worker looks at the hosts: told to nobody" in line


def test_what_is_wrong_with_the_index_itself_has_a_line(viewer: Client) -> None:
    told("", condition=Condition.NO_BEAT, host="", cause="beat asks for no looks")
    (line,) = lines(viewer)
    assert line.startswith("Beat has stood still")
    assert "beat asks for no looks" in line
    assert verdict(viewer).startswith("1 thing wants you.")


# Acknowledging


def test_an_operator_acknowledges_and_the_line_says_who_did_and_when(operator: Client, viewer: Client) -> None:
    incident = wrong()
    answer = operator.post("/incidents/acknowledge", {"incidents": incident.pk, "back": "/?host=local"})
    assert (answer.status_code, answer["Location"]) == (302, "/?host=local")
    assert re.search(r"acknowledged by olga at .* \(\d+ s ago\)", lines(viewer)[0])
    assert "Acknowledge" not in lines(operator)[0].replace("acknowledged", "")


def test_who_acknowledges_sees_it_at_once_although_the_page_was_made_a_moment_ago(operator: Client) -> None:
    incident = wrong()
    operator.get("/")
    operator.post("/incidents/acknowledge", {"incidents": incident.pk})
    assert "acknowledged by olga" in text_of(operator.get("/").content)


def test_what_was_acknowledged_is_in_the_admins_log(operator: Client) -> None:
    incident = wrong()
    operator.post("/incidents/acknowledge", {"incidents": incident.pk})
    entry = LogEntry.objects.get(object_id=str(incident.pk), content_type__model="incident")
    assert (entry.user.get_username(), entry.change_message) == ("olga", "Acknowledged, from 127.0.0.1.")


def test_one_button_acknowledges_all_that_people_are_told_of_a_row(operator: Client) -> None:
    both = [wrong(), told("shop:web", condition=Condition.ORPHAN, severity=Severity.DIGEST)]
    found = re.search('name="incidents" value="(.*?)"', operator.get("/").content.decode())
    assert found
    operator.post("/incidents/acknowledge", {"incidents": found[1]})
    assert [each.acknowledged_by for each in Incident.objects.filter(pk__in=[each.pk for each in both])] == ["olga"] * 2


def test_who_may_only_look_sees_no_button_and_may_not_acknowledge(viewer: Client) -> None:
    incident = wrong()
    assert "Acknowledge" not in text_of(viewer.get("/").content)
    assert viewer.post("/incidents/acknowledge", {"incidents": incident.pk}).status_code == 403
    assert Incident.objects.get().acknowledged_by == ""


def test_a_stranger_may_not_acknowledge(client: Client) -> None:
    incident = wrong()
    answer = client.post("/incidents/acknowledge", {"incidents": incident.pk})
    assert answer["Location"].startswith("/login")
    assert Incident.objects.get().acknowledged_by == ""


def test_another_site_cannot_acknowledge(operator: Client) -> None:
    incident = wrong()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post("/incidents/acknowledge", {"incidents": incident.pk}).status_code == 403
    assert Incident.objects.get().acknowledged_by == ""


def test_acknowledging_is_no_get(operator: Client) -> None:
    assert operator.get("/incidents/acknowledge").status_code == 405


@pytest.mark.parametrize("text", ["", "x", "9" * 30, "-1", "1,2,x", "\u0661", "0"])
def test_acknowledging_what_is_no_incident_does_nothing_and_says_so(operator: Client, text: str) -> None:
    answer = operator.post("/incidents/acknowledge", {"incidents": text}, follow=True)
    assert "Nothing was acknowledged" in text_of(answer.content)


def test_nobody_is_sent_to_another_site(operator: Client) -> None:
    answer = operator.post("/incidents/acknowledge", {"back": "//evil.example/"})
    assert answer["Location"] == "/"


def test_the_script_of_the_page_is_told_how_many_were_acknowledged(operator: Client) -> None:
    incident = wrong()
    headers = {"Accept": "application/json"}
    answer = operator.post("/incidents/acknowledge", {"incidents": incident.pk}, headers=headers)
    assert answer.json() == {"acknowledged": 1}


# The page of an incident, and the pages of what it is about


def test_the_page_of_an_incident_tells_its_times_its_cause_and_who_was_told(viewer: Client) -> None:
    channel("ops")
    make_row("shop:web", "stopped", exit_code=1)
    more = {"condition": Condition.ENDED, "cause": "it exited", "exit_code": 1, "state_before": "running"}
    incident = told("shop:web", **more)
    send(incident)
    text = text_of(viewer.get(f"/incidents/{incident.pk}").content)
    assert text.count("shop:web ended with an error") >= 1
    for said in (
        "It stands",
        "How it is now■ stopped",
        "it exited",
        "exit 1",
        "Before, it wasrunning",
        "On local:docker logs --tail 50",
        "ops that it began: sent at",
    ):
        assert said in text, said


def test_the_page_of_an_incident_that_is_over_says_from_when_to_when(viewer: Client) -> None:
    incident = told("shop:web", phase=Phase.RESOLVED, resolved_at=now(), acknowledged_by="olga", acknowledged_at=now())
    text = text_of(viewer.get(f"/incidents/{incident.pk}").content)
    assert "shop:web was gone from its host" in text
    assert re.search(r"It began .* and was over .* olga acknowledged it at", text)


def test_the_page_of_an_incident_lists_when_the_same_was_so_before(viewer: Client) -> None:
    before = told("shop:web", phase=Phase.RESOLVED, resolved_at=now())
    incident = told("shop:web")
    assert f"Incident {before.pk} resolved" in text_of(viewer.get(f"/incidents/{incident.pk}").content)


def test_an_incident_is_acknowledged_on_its_page_too(operator: Client, viewer: Client) -> None:
    path = f"/incidents/{told('shop:web').pk}"
    assert "Acknowledge" in text_of(operator.get(path).content)
    assert "Acknowledge" not in text_of(viewer.get(path).content)


def test_the_command_that_silences_quotes_what_labels_hold(viewer: Client) -> None:
    incident = told("shop:web", workload_id="a; rm -rf $HOME '")
    text = text_of(viewer.get(f"/incidents/{incident.pk}").content)
    assert """'--workload=a; rm -rf $HOME '"'"''""" in text


@pytest.mark.parametrize("number", ["1", "9" * 30])
def test_an_incident_that_does_not_exist_has_no_page(viewer: Client, number: str) -> None:
    assert viewer.get(f"/incidents/{number}").status_code == 404


def test_a_stranger_is_asked_to_log_in_to_see_an_incident(client: Client) -> None:
    assert client.get("/incidents/1")["Location"] == "/login?next=/incidents/1"


@pytest.mark.parametrize("path", ["/containers/shop:web", "/hosts/local"])
def test_pages_of_what_an_incident_is_about_lead_to_it(viewer: Client, path: str) -> None:
    wrong()
    Host.objects.update(held_since=now(), held=[{}])
    told("local", condition=Condition.HELD)
    of = Incident.objects.get(subject="shop:web" if "shop" in path else "local")
    assert f'href="/incidents/{of.pk}"' in viewer.get(path).content.decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_in_incidents_stay_text(operator: Client, text: str) -> None:
    row_id = f"{text.replace('/', '|')[:100]}:web"
    make_row(row_id, "missing")
    more = {"cause": text, "image_ref": text, "workload_id": text[:100], "acknowledged_by": text[:100]}
    incident = told(row_id, acknowledged_at=now(), **more)
    Silence.objects.create(begins_at=now(), ends_at=now() + timedelta(hours=1), reason=text[:200], by=text[:100])
    for path in ("/", f"/incidents/{incident.pk}"):
        page = operator.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img" not in page, path


@pytest.mark.parametrize("path", ["/", "/incidents/{pk}", "/hosts/local", "/containers/shop:web"])
def test_pages_take_as_many_queries_for_many_incidents_as_for_few(operator: Client, path: str) -> None:
    """I11: the same holds for incidents."""
    channel("ops")
    Silence.objects.create(begins_at=now(), ends_at=now() + timedelta(hours=1))
    first, counts = wrong(), []
    for size in (1, 80):
        for number in range(size):
            wrong(f"row:{size}-{number}")
            told(f"h{size}-{number}", condition=Condition.DRIFT, host=f"h{size}-{number}")
        RENDERINGS.forget()
        with recorded() as statements:
            assert operator.get(path.format(pk=first.pk)).status_code == 200
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 32
