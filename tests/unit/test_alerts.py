"""deploy/alerts.yml: what fires, and what does not, as Prometheus' own promtool works it out."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.packages import find_program
from tests.conftest import unavailable

FILE = Path(__file__).parents[2] / "deploy" / "alerts.yml"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
ALWAYS = "1x60"
NEVER = "0x60"
Series = dict[str, str]
"""The values of series, one a minute, as promtool writes them."""


def promtool(*arguments: str) -> str:
    """Run promtool; return what it says if it is not content."""
    program = find_program("promtool") or unavailable("promtool, of Debian's package prometheus")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def host(condition: str = "fresh", name: str = "west", **told: str) -> Series:
    """Return what is told of a host that is looked at and watched, unless it is told otherwise."""
    conditions = {each: ALWAYS if each == condition else NEVER for each in ("failing", "fresh", "held", "new", "stale")}
    of_it = {"neglected": NEVER, "watched": ALWAYS, "drift_total": NEVER} | told
    return {
        f'tinyforge_host_condition{{host="{name}", condition="{each}"}}': conditions[each] for each in conditions
    } | {f'tinyforge_host_{each}{{host="{name}"}}': value for each, value in of_it.items()}


def row(state: str | Mapping[str, str] = "running", row_id: str = "shop:web", **told: str) -> Series:
    """Return what is told of a row: that it is in a state all the time, or when in which."""
    states = {state: ALWAYS} if isinstance(state, str) else state
    labels = f'row="{row_id}", host="west"'
    return {
        f'tinyforge_container_info{{{labels}, workload="shop", role="web", image="shop:1"}}': ALWAYS,
        **{f'tinyforge_container_state{{{labels}, state="{each}"}}': states[each] for each in states},
        **{f"tinyforge_container_{name}{{{labels}}}": value for name, value in told.items()},
    }


def unhealthy(row_id: str = "shop:web") -> Series:
    return {f'tinyforge_container_health{{row="{row_id}", host="west", health="unhealthy"}}': ALWAYS}


def index(**told: str) -> Series:
    """Return what the index tells of itself."""
    of_it = {"build_info": ALWAYS, "metrics_truncated": NEVER} | told
    return {f"tinyforge_{name}": value for name, value in of_it.items()}


def complaint(directory: Path, series: Series, **test: Any) -> str:
    """Return what promtool finds wrong with a test of the rules on these series."""
    given = [{"series": name, "values": values} for name, values in series.items()]
    document = {"rule_files": [str(FILE)], "tests": [{"interval": "1m", "input_series": given, **test}]}
    path = directory / "test.yml"
    path.write_text(yaml.safe_dump(document))
    return promtool("test", "rules", str(path))


@pytest.fixture
def fires(tmp_path: Path) -> Any:
    """Tell whether exactly these alerts fire at this minute, so many times each; if not, fail with what does."""

    def check(series: Series, minute: int, **expected: int) -> bool:
        samples = [{"labels": f'{{alertname="Tinyforge{name}"}}', "value": count} for name, count in expected.items()]
        question = {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": samples,
        }
        found = complaint(tmp_path, index() | series, promql_expr_test=[question])
        assert found == ""
        return True

    return check


def test_promtool_accepts_the_rules() -> None:
    assert promtool("check", "rules", str(FILE)) == ""


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"].endswith(".")


def test_the_page_on_metrics_lists_every_alert_and_how_bad_it_is() -> None:
    page = (FILE.parents[1] / "docs" / "metrics.md").read_text()
    listed = dict(re.findall(r"^\| `(Tinyforge\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert listed == {name: alert["labels"]["severity"] for name, alert in ALERTS.items()}


def test_nothing_fires_while_all_is_well(fires: Any) -> None:
    of_a_job = row("stopped", "shop:job", last_exit_code=NEVER, oom_killed=NEVER)
    assert fires(host() | row(restart_loop=NEVER, oom_killed=NEVER) | of_a_job, 30)


@pytest.mark.parametrize("condition", ["failing", "stale", "new"])
def test_a_host_that_cannot_be_seen_fires(fires: Any, condition: str) -> None:
    assert fires(host(condition), 3, HostUnseen=1)


def test_a_host_that_goes_from_failing_to_stale_fires_once(fires: Any) -> None:
    failing = 'tinyforge_host_condition{host="west", condition="failing"}'
    stale = 'tinyforge_host_condition{host="west", condition="stale"}'
    assert fires(host("none") | {failing: "1x2 0x57", stale: "0x2 1x57"}, 3, HostUnseen=1)


def test_a_host_that_fails_once_does_not_fire(fires: Any) -> None:
    failing, fresh = (f'tinyforge_host_condition{{host="west", condition="{each}"}}' for each in ("failing", "fresh"))
    series = host() | {failing: "0 1 0x58", fresh: "1 0 1x58"}
    assert all(fires(series, minute) for minute in (1, 2, 5))


def test_a_host_that_cannot_be_seen_fires_once_and_not_for_each_of_its_rows(fires: Any) -> None:
    trouble = {"restart_loop": ALWAYS, "oom_killed": ALWAYS, "last_exit_code": "137x60"}
    rows = row("unknown", **trouble) | row("unknown", "shop:db", **trouble) | unhealthy() | unhealthy("shop:db")
    assert fires(host("failing") | rows, 10, HostUnseen=1)


def test_a_missing_row_whose_host_cannot_be_seen_any_more_does_not_fire(fires: Any) -> None:
    rows = row({"missing": "1x5 stale", "unknown": "_x6 1x50"})
    assert fires(host() | rows, 4, ContainerMissing=1)
    assert fires(host() | rows, 8)


@pytest.mark.parametrize(("state", "alert"), [("missing", "ContainerMissing"), ("failed", "ContainerFailed")])
def test_a_row_that_is_missing_or_has_failed_fires(fires: Any, state: str, alert: str) -> None:
    assert fires(host() | row(state), 3, **{alert: 1})


def test_a_row_that_a_deploy_binds_again_soon_does_not_fire(fires: Any) -> None:
    rows = row({"running": "1 stale _ 1x57", "missing": "_ 1 stale"})
    assert all(fires(host() | rows, minute) for minute in (1, 2, 3, 4))


def test_a_row_that_is_being_deployed_does_not_fire_until_that_is_over(fires: Any) -> None:
    rows = row("missing", deploying="1x10 0x50") | row("stopped", "shop:job", last_exit_code="1x60", deploying=ALWAYS)
    assert fires(host() | rows, 10)
    assert fires(host() | rows, 14, ContainerMissing=1)


def test_a_restart_loop_fires_through_all_its_states(fires: Any) -> None:
    states = {"running": "1 stale 1 stale 1 stale", "restarting": "_ 1 stale 1 stale 1x50"}
    assert fires(host() | row(states, restart_loop=ALWAYS), 2, ContainerRestartLoop=1)


def test_an_unhealthy_row_fires(fires: Any) -> None:
    assert fires(host() | row() | unhealthy(), 2, ContainerUnhealthy=1)


def test_a_row_that_ended_with_an_exit_code_other_than_zero_fires(fires: Any) -> None:
    assert fires(host() | row("stopped", last_exit_code="137x60"), 2, ContainerEnded=1)


def test_a_row_that_runs_again_does_not_fire_for_its_last_end(fires: Any) -> None:
    assert fires(host() | row("running", last_exit_code="137x60", oom_killed=ALWAYS), 10)


def test_a_row_that_was_killed_because_memory_ran_out_fires(fires: Any) -> None:
    series = host() | row("stopped", last_exit_code="137x60", oom_killed=ALWAYS)
    assert fires(series, 2, ContainerOutOfMemory=1, ContainerEnded=1)


def test_a_host_that_is_held_for_long_fires(fires: Any) -> None:
    assert fires(host("held"), 4)
    assert fires(host("held"), 6, HostHeld=1)


def test_much_drift_fires_and_a_lost_event_does_not(fires: Any) -> None:
    assert fires(host(drift_total="0x10 1x49"), 20)
    assert fires(host(drift_total="0+1x60"), 20, HostDrift=1)


def test_hosts_that_nobody_looks_at_fire_once_for_all(fires: Any) -> None:
    """Neither once for each host, nor once for each row."""
    hosts = host("stale", neglected=ALWAYS) | host("stale", "east", neglected=ALWAYS)
    assert fires(hosts | row("unknown"), 10, NobodyLooks=1)


def test_one_host_that_is_not_watched_fires(fires: Any) -> None:
    assert fires(host(watched=NEVER) | host(name="east"), 6, HostUnwatched=1)


def test_hosts_of_which_none_is_watched_fire_once_for_all(fires: Any) -> None:
    assert fires(host(watched=NEVER) | host(name="east", watched=NEVER), 6, NobodyWatches=1)


def test_a_host_that_cannot_be_seen_does_not_fire_for_being_unwatched(fires: Any) -> None:
    assert fires(host("failing", watched=NEVER) | host(name="east"), 10, HostUnseen=1)


def test_an_index_that_tells_nothing_fires(fires: Any) -> None:
    gone = index(build_info="1 stale", metrics_truncated="0 stale")
    assert fires(gone, 1)
    assert fires(gone, 4, Absent=1)


def test_too_many_rows_fire_and_so_do_those_that_are_missing_among_them(fires: Any) -> None:
    counts = {'tinyforge_host_containers{host="west", state="missing"}': "3x60"}
    assert fires(host() | index(metrics_truncated=ALWAYS) | counts, 11, MetricsTruncated=1, ContainersDown=1)
    assert fires(host() | counts, 11)


def test_two_indexes_in_one_prometheus_stay_apart(fires: Any) -> None:
    """Hosts and rows of both have the same names."""
    one = host() | row("missing") | row("stopped", "shop:job", last_exit_code="1x60") | unhealthy()
    two = {name.replace("{", '{instance="two", ').replace("info ", "info"): values for name, values in one.items()}
    assert fires(one | two, 5, ContainerMissing=2, ContainerEnded=2)


def test_an_alert_names_what_it_is_about(tmp_path: Path) -> None:
    series = index() | host() | row("stopped", last_exit_code="137x60")
    labels = {"severity": "warning", "host": "west", "row": "shop:web", "workload": "shop", "role": "web"}
    annotations = {
        "summary": "Container shop:web on host west has ended with exit code 137",
        "description": ALERTS["TinyforgeContainerEnded"]["annotations"]["description"],
    }
    expected = {"exp_labels": labels, "exp_annotations": annotations}
    question = {"eval_time": "5m", "alertname": "TinyforgeContainerEnded", "exp_alerts": [expected]}
    assert complaint(tmp_path, series, alert_rule_test=[question]) == ""
