"""Incidents and silences over the API: who is on call reads and acknowledges; what is silenced ends by itself."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from alerts.core.conditions import Condition, Phase, Severity
from alerts.models import Incident, Silence
from tests.api import ApiClient
from tests.channels import fire, fire_all, resolve
from tests.integration.test_queries import recorded
from web.api import alert_types
from web.models import Scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local")]
HOUR = timedelta(hours=1)


@pytest.fixture
def reader() -> ApiClient:
    return ApiClient()


@pytest.fixture
def on_call() -> ApiClient:
    return ApiClient(Scope.ADMIN)


def now() -> datetime:
    return timezone.now()


def queries_of(act: Callable[[], object]) -> int:
    # the first request notes that its token is used
    act()
    with recorded() as statements:
        act()
    return len(statements)


# Incidents


def test_the_document_names_all_conditions_severities_and_phases() -> None:
    kinds = ((alert_types.Condition, Condition), (alert_types.Severity, Severity), (alert_types.Phase, Phase))
    for named, known in kinds:
        assert list(get_args(named)) == [each.value for each in known]


def test_an_incident_says_what_is_wrong_where_and_how_far_it_is(reader: ApiClient) -> None:
    made = fire(at=now(), cause="exit code 3")
    item = reader.get(f"incidents/{made.pk}").json()["item"]
    assert (item["condition"], item["severity"], item["phase"]) == ("missing", "page", "firing")
    assert (item["row"], item["host"], item["workload"], item["cause"]) == ("shop:web", "berlin", "shop", "exit code 3")
    assert (item["resolved_at"], item["acknowledged_at"], item["acknowledged_by"]) == (None, None, "")


def test_an_incident_of_a_host_names_no_row(reader: ApiClient) -> None:
    fire("berlin", at=now(), condition=Condition.HOST, workload_id="")
    (item,) = reader.items("incidents")
    assert (item["row"], item["host"]) == ("", "berlin")


def test_what_an_engine_said_is_told_in_no_incident_and_no_change(on_call: ApiClient) -> None:
    cursor = on_call.get("incidents").json()["cursor"]
    made = fire("berlin", at=now(), condition=Condition.HOST, workload_id="", cause="secret.example refused")
    told = [on_call.post(f"incidents/{made.pk}/acknowledge")]
    told += [on_call.get(path) for path in ("incidents", f"incidents/{made.pk}")]
    told.append(on_call.get("changes", after=cursor))
    assert ["secret.example" in answer.content.decode() for answer in told] == [False] * 4


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"host": "paris"}, ["b"]),
        ({"host": ["paris", "berlin"]}, ["a", "b"]),
        ({"workload": "shop"}, ["a"]),
        ({"row": "b"}, ["b"]),
        ({"condition": "failed"}, ["b"]),
        ({"severity": "notify"}, ["b"]),
        ({"phase": "firing"}, ["b"]),
        ({"phase": ["firing", "resolved"]}, ["a", "b"]),
        ({"phase": "firing", "host": "berlin"}, []),
    ],
)
def test_incidents_are_found_by_what_they_are(reader: ApiClient, query: dict[str, Any], found: list[str]) -> None:
    resolve(fire("a", at=now()), at=now())
    of_b = {"condition": Condition.FAILED, "severity": Severity.NOTIFY, "host": "paris", "workload_id": "blog"}
    fire("b", at=now(), **of_b)
    assert [item["row"] for item in reader.items("incidents", **query)] == found


@pytest.mark.parametrize("query", [{"phase": "open"}, {"condition": "mising"}, {"state": "firing"}, {"after": "x"}])
def test_a_filter_that_is_not_known_finds_not_everything(reader: ApiClient, query: dict[str, str]) -> None:
    assert reader.get("incidents", **query).status_code == 400


def test_pages_of_incidents_go_on_where_the_one_before_has_ended(reader: ApiClient) -> None:
    fire_all([f"row-{number:02}" for number in range(12)], at=now())
    seen: list[str] = []
    after: dict[str, Any] = {}
    for _ in range(3):
        page = reader.get("incidents", limit=5, **after).json()
        seen += [item["row"] for item in page["items"]]
        after = {"after": page["next"]}
    assert (seen, after) == ([f"row-{number:02}" for number in range(12)], {"after": None})


def test_a_list_of_many_incidents_takes_as_many_queries_as_one_of_few(reader: ApiClient) -> None:
    fire(at=now())
    few = queries_of(lambda: reader.items("incidents"))
    fire_all([f"row-{number}" for number in range(50)], at=now())
    assert queries_of(lambda: reader.items("incidents")) == few


def test_incidents_that_are_the_same_are_not_sent_again(reader: ApiClient) -> None:
    made = fire(at=now())
    tag = reader.get("incidents")["ETag"]
    assert reader.get("incidents", tag=tag).status_code == 304
    resolve(made, at=now())
    assert reader.get("incidents", tag=tag).status_code == 200


@pytest.mark.parametrize("key", ["7", "x", "-1", "9" * 30, "٣", "7/x"])
def test_an_incident_that_is_not_there_is_not_found(reader: ApiClient, key: str) -> None:
    assert reader.get(f"incidents/{key}").status_code == 404


def test_who_acknowledges_is_told_and_noted(on_call: ApiClient) -> None:
    made = fire(at=now())
    answer = on_call.post(f"incidents/{made.pk}/acknowledge")
    assert answer.json()["item"]["acknowledged_by"] == "token test admin"
    assert Incident.objects.get().acknowledged_by == "token test admin"
    assert "Token test admin: Acknowledged" in LogEntry.objects.get().change_message


def test_who_acknowledged_first_stays(on_call: ApiClient) -> None:
    made = fire(at=now(), acknowledged_at=now(), acknowledged_by="olga")
    answer = on_call.post(f"incidents/{made.pk}/acknowledge")
    assert (answer.status_code, answer.json()["item"]["acknowledged_by"]) == (200, "olga")


def test_what_is_over_cannot_be_acknowledged(on_call: ApiClient) -> None:
    made = fire(at=now())
    resolve(made, at=now())
    assert on_call.post(f"incidents/{made.pk}/acknowledge").status_code == 409


@pytest.mark.parametrize("scope", [Scope.READ, Scope.DEPLOY])
def test_who_may_not_do_everything_neither_acknowledges_nor_silences(scope: Scope) -> None:
    client, made = ApiClient(scope), fire(at=now())
    silence = Silence.objects.create(ends_at=now() + HOUR)
    assert client.post(f"incidents/{made.pk}/acknowledge").status_code == 403
    assert client.send("POST", "silences", {"ends_at": (now() + HOUR).isoformat()}).status_code == 403
    assert client.send("DELETE", f"silences/{silence.pk}").status_code == 403


# The feed


def test_changes_of_incidents_are_told_with_the_incident_as_it_is_now(on_call: ApiClient) -> None:
    cursor = on_call.get("incidents").json()["cursor"]
    made = fire(at=now())
    on_call.post(f"incidents/{made.pk}/acknowledge")
    fired, acknowledged = on_call.items("changes", after=cursor)
    assert (fired["kind"], fired["row"], fired["from_state"], fired["to_state"]) == (
        *("incident", "shop:web"),
        *(None, "firing"),
    )
    assert (acknowledged["from_state"], acknowledged["to_state"]) == ("firing", "firing")
    assert acknowledged["cause"] == "acknowledged by token test admin"
    assert fired["incident"] == acknowledged["incident"] == on_call.get(f"incidents/{made.pk}").json()["item"]


def test_of_an_incident_that_is_forgotten_the_changes_are_told_all_the_same(reader: ApiClient) -> None:
    cursor = reader.get("incidents").json()["cursor"]
    fire(at=now())
    Incident.objects.all().delete()
    (change,) = reader.items("changes", after=cursor)
    assert (change["to_state"], change["incident"]) == ("firing", None)


def test_many_changes_of_incidents_take_as_many_queries_as_few(reader: ApiClient) -> None:
    cursor = reader.get("incidents").json()["cursor"]
    fire(at=now())
    few = queries_of(lambda: reader.items("changes", after=cursor))
    fire_all([f"row-{number}" for number in range(50)], at=now())
    assert queries_of(lambda: reader.items("changes", after=cursor)) == few


# Silences


def test_a_silence_is_made_listed_and_ended(on_call: ApiClient) -> None:
    body = {"ends_at": (now() + HOUR).isoformat(), "host": "berlin", "condition": "missing", "reason": "new disks"}
    made = on_call.send("POST", "silences", body)
    item = made.json()["item"]
    assert (made.status_code, item["host"], item["workload"], item["by"]) == (201, "berlin", "", "token test admin")
    assert on_call.items("silences") == [item] == [on_call.get(f"silences/{item['id']}").json()["item"]]
    assert Incident.objects.filter(pk=fire(at=now()).pk).silenced(now()).exists()
    assert on_call.send("DELETE", f"silences/{item['id']}").status_code == 200
    assert on_call.items("silences") == []
    assert [each["id"] for each in on_call.items("silences", over="true")] == [item["id"]]


def test_what_has_ended_ends_not_once_more(on_call: ApiClient) -> None:
    ended = now() - HOUR
    silence = Silence.objects.create(begins_at=ended - HOUR, ends_at=ended)
    assert on_call.send("DELETE", f"silences/{silence.pk}").status_code == 200
    assert Silence.objects.get().ends_at == ended


def test_a_silence_that_is_not_there_is_not_found(on_call: ApiClient) -> None:
    assert on_call.send("DELETE", "silences/7").status_code == 404
    assert on_call.get("silences/x").status_code == 404


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ends_at": None}, "ends_at"),
        ({"ends_at": "2026-11-24T12:00:00"}, "timezone"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "later than now"),
        ({"ends_at": "9999-12-31T23:59:59-23:59"}, "within 365 days"),
        ({"ends_at": "0001-01-01T00:00:00+23:59"}, "later than now"),
        ({"ends_at": (timezone.now() + timedelta(days=31)).isoformat()}, "30 days at most"),
        ({"begins_at": "9999-12-31T23:59:59-23:59"}, "begins_at"),
        ({"condition": "mising"}, "mising"),
        ({"host": "\0"}, "host"),
        ({"hosts": "berlin"}, "hosts"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(on_call: ApiClient, change: dict[str, Any], problem: str) -> None:
    body = {"ends_at": (now() + HOUR).isoformat(), **change}
    answer = on_call.send("POST", "silences", body)
    assert answer.status_code == 400
    assert problem in answer.json()["detail"]
    assert not Silence.objects.exists()


def test_a_silence_that_ends_as_it_begins_is_refused(on_call: ApiClient) -> None:
    at = (now() + HOUR).isoformat()
    assert on_call.send("POST", "silences", {"begins_at": at, "ends_at": at}).status_code == 400


def test_a_silence_without_an_end_is_refused(on_call: ApiClient) -> None:
    assert on_call.send("POST", "silences", {"host": "berlin"}).status_code == 400


def test_a_silence_may_begin_later_and_not_before_now(on_call: ApiClient) -> None:
    for begins_at in (now() + HOUR, now() - HOUR):
        on_call.send(
            "POST", "silences", {"begins_at": begins_at.isoformat(), "ends_at": (now() + 2 * HOUR).isoformat()}
        )
    later, at_once = Silence.objects.order_by("id")
    assert later.begins_at > now()
    assert now() - HOUR < at_once.begins_at <= now()


@pytest.mark.parametrize(
    ("query", "count"), [({"host": "berlin"}, 1), ({"workload": "shop"}, 1), ({"condition": "oom"}, 0)]
)
def test_silences_are_found_by_what_they_name(reader: ApiClient, query: dict[str, str], count: int) -> None:
    Silence.objects.create(host="berlin", ends_at=now() + HOUR)
    Silence.objects.create(workload_id="shop", ends_at=now() + HOUR)
    assert len(reader.items("silences", **query)) == count


def test_everybody_who_reads_the_index_reads_incidents_in_a_browser(admin_client: Any) -> None:
    assert admin_client.get("/api/v1/incidents").status_code == 200
    assert admin_client.post("/api/v1/silences", "{}", content_type="application/json").status_code == 403
