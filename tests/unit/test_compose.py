"""What docker-compose.yml promises: nothing runs as root, only the proxy touches Docker's socket, all can be set."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.urls import resolve

from reconciler.core.labels import STACK_PREFIX
from tinyforge.oidc import ENDPOINTS
from tinyforge.queues import PASSES
from tinyforge.schedule import ALERTS_QUEUE, APPRISE_QUEUE, URGENT_QUEUE

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROXY = "socket-proxy"
INDEX = {"migrate", "web", "worker", "urgent", "alerts", "apprise", "watch", "beat"}
# The volumes that images declare. Unless something is mounted there, each container gets a new volume without a name.
VOLUMES_OF_IMAGES = {"valkey/valkey": "/data", "postgres": "/var/lib/postgresql/data"}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def override(name: str) -> dict[str, dict[str, Any]]:
    """Return the services of a file that is laid over docker-compose.yml."""
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / name).read_text())["services"]
    return services


@each_service
def test_runs_as_somebody_else_than_root(name: str) -> None:
    assert re.match(r"[1-9]\d*:", SERVICES[name]["user"])


@each_service
def test_cannot_gain_rights_or_write_its_file_system(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "privileged" not in service


@each_service
def test_has_a_bound_of_memory_and_of_processes_which_the_docs_tell(name: str) -> None:
    service = SERVICES[name]
    memory = str(service["mem_limit"])
    shown = memory.removeprefix("${WORKER_MEMORY:-").removesuffix("}")
    assert re.fullmatch(r"[1-9]\d*[mg]", shown)
    assert service["pids_limit"] > 0
    rows = (ROOT / "docs" / "production.md").read_text().splitlines()
    row = next(row for row in rows if row.startswith(f"| {name} |"))
    assert row.endswith(f"| {shown} | {service['pids_limit']} |")


@each_service
def test_uses_an_image_of_a_fixed_version_or_the_one_built_here(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?(@sha256:\w+)?$", image) or image == SERVICES["worker"]["image"]


def test_the_image_is_built_once_and_wherever_a_worker_runs() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["worker"]
    assert {SERVICES[name]["image"] for name in INDEX} == {SERVICES["worker"]["image"]}


def test_the_image_has_all_that_is_installed() -> None:
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    own = {app.partition(".")[0] for app in settings.INSTALLED_APPS} & {path.name for path in ROOT.iterdir()}
    assert own
    assert {f"!{name}" for name in own | {"tinyforge", "manage.py", "requirements.txt"}} <= set(let_in)


def test_the_image_is_looked_for_nowhere_else() -> None:
    """Somebody could have put another one of that name into a public registry."""
    assert {SERVICES[name]["pull_policy"] for name in INDEX} == {"never"}


@pytest.mark.parametrize("name", ["web", "watch", "beat"])
def test_does_not_start_after_a_migration_that_failed(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_indexs_own_containers_are_not_taken_for_a_stack() -> None:
    assert not COMPOSE["name"].startswith(STACK_PREFIX)


@each_service
def test_comes_back_by_itself_unless_its_work_is_done(name: str) -> None:
    assert SERVICES[name]["restart"] == ("no" if name == "migrate" else "always")


@each_service
def test_leaves_no_volume_without_a_name(name: str) -> None:
    service = SERVICES[name]
    declared = VOLUMES_OF_IMAGES.get(service["image"].partition(":")[0])
    mounted = [mount.split(":")[1] for mount in service.get("volumes", [])]
    mounted += [mount.split(":")[0] for mount in service["tmpfs"]]
    assert declared is None or declared in mounted


@pytest.mark.parametrize("name", sorted(INDEX - {"migrate"}))
def test_is_killed_if_it_does_not_end_in_a_time_that_is_stated(name: str) -> None:
    assert re.fullmatch(r"\d+s", SERVICES[name]["stop_grace_period"])


def test_all_of_the_index_hears_that_it_is_to_end_while_it_still_starts() -> None:
    """The first process of a container does not, so that is Docker's own init."""
    assert {SERVICES[name]["init"] for name in INDEX} == {True}


def test_the_number_of_workers_and_of_watchers_outlives_an_update() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] == "${WORKERS:-1}"
    assert SERVICES["watch"]["deploy"]["replicas"] == "${WATCHERS:-1}"


def test_workers_listen_to_no_other_workers() -> None:
    """What one says to all, anybody could say."""
    procfile = yaml.safe_load((ROOT / "Procfile").read_text())
    for command in (
        *(SERVICES[name]["command"] for name in ("worker", "urgent", "alerts", "apprise")),
        *(procfile[name].split() for name in ("worker", "urgent", "alerts")),
    ):
        assert {"--without-gossip", "--without-mingle"} <= set(command)


def test_every_queue_has_a_worker_in_the_procfile_and_in_compose() -> None:
    procfile = yaml.safe_load((ROOT / "Procfile").read_text())
    queues = sorted([PASSES, URGENT_QUEUE, ALERTS_QUEUE, APPRISE_QUEUE])
    taken = re.findall(r"--queues (\S+)", " ".join(procfile.values()))
    assert sorted(",".join(taken).split(",")) == queues
    options = {option for name in INDEX for option in SERVICES[name].get("command", ())}
    assert {f"--queues={queue}" for queue in queues} <= options


def test_passes_of_rounds_and_urgent_ones_have_workers_of_their_own_with_threads() -> None:
    procfile = yaml.safe_load((ROOT / "Procfile").read_text())
    for name, queue in (("worker", "reconcile"), ("urgent", "urgent")):
        command = [part for option in SERVICES[name]["command"] for part in option.split("=")]
        for words in (command, procfile[name].split()):
            assert words[words.index("--queues") + 1] == queue
            assert words[words.index("--pool") + 1] == "threads"


def test_the_health_check_asks_for_a_page_that_is_there() -> None:
    (path,) = re.findall(r"http://127\.0\.0\.1:8000(/[^\"]*)", SERVICES["web"]["healthcheck"]["test"][-1])
    assert resolve(path).view_name == "web.probes.readyz"


def test_the_databases_health_is_asked_over_tcp() -> None:
    """The server that first makes the database answers on its socket only, and then goes away."""
    assert "--host 127.0.0.1" in " ".join(SERVICES["postgres"]["healthcheck"]["test"])


def test_redis_wants_a_password_that_is_on_no_command_line() -> None:
    redis = SERVICES["redis"]
    assert "requirepass $$REDISCLI_AUTH" in redis["command"][-1]
    assert "REDIS_PASSWORD" not in str(redis["command"])
    assert "${REDIS_PASSWORD:?" in redis["environment"]["REDISCLI_AUTH"]
    assert "://:${REDIS_PASSWORD:?" in SERVICES["worker"]["environment"]["REDIS_URL"]


def test_only_the_proxy_mounts_the_socket() -> None:
    assert [name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes", ""))] == [PROXY]


def test_only_workers_and_watcher_can_reach_the_proxy() -> None:
    near = {
        name
        for name, service in SERVICES.items()
        if set(service["networks"]) & set(SERVICES[PROXY]["networks"]) and name != PROXY
    }
    assert near == {"worker", "urgent", "watch"}
    assert "-allowfrom=worker,urgent,watch" in SERVICES[PROXY]["command"]


def test_proxy_database_and_broker_are_cut_off_from_the_world() -> None:
    internal = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    for name in (PROXY, "postgres", "redis"):
        assert set(SERVICES[name]["networks"]) <= internal
        assert "ports" not in SERVICES[name]


def test_web_is_published_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


# Settings that Compose decides itself, and why.
DECIDED = {
    "DEBUG": "this is production",
    "DOCKER_CERT_PATH": "TLS_DIR is mounted there",
    "STATIC_ROOT": "the image has the files there",
}


def test_every_setting_of_the_index_can_be_set_in_the_env_file() -> None:
    names = ("settings.py", "alert_rules.py", "alerting.py", "oidc.py", "queues.py")
    sources = [(ROOT / "tinyforge" / name).read_text() for name in names]
    read = {name for source in sources for name in re.findall(r'(?:env\.\w+|_address)\(\s*(?:env, )?"(\w+)"', source)}
    read |= set(ENDPOINTS.values())
    given = SERVICES["worker"]["environment"]
    not_handed_through = {
        name
        for name in read - set(DECIDED)
        if name not in given or not (given[name] is None or re.match(rf"\${{(INDEX_)?{name}:", given[name]))
    }
    assert not not_handed_through


@pytest.mark.parametrize("name", sorted(INDEX))
def test_all_of_the_index_has_the_same_settings(name: str) -> None:
    assert SERVICES[name]["environment"] == SERVICES["worker"]["environment"]


def test_workers_can_run_alone() -> None:
    """Whatever it would wait for may be on another machine."""
    alone = {name for name, service in SERVICES.items() if "worker" in service["profiles"]}
    assert alone == {"worker", "urgent"}
    assert not any(what["required"] for name in alone for what in SERVICES[name]["depends_on"].values())


@pytest.mark.parametrize("name", ["postgres", "redis", PROXY])
def test_what_may_be_elsewhere_can_be_left_out(name: str) -> None:
    assert SERVICES[name]["profiles"] == [name]
    waiting = [service["depends_on"][name] for service in SERVICES.values() if name in service.get("depends_on", {})]
    assert waiting
    assert not any(what["required"] for what in waiting)


def ways_out(services: dict[str, dict[str, Any]]) -> set[str]:
    """Return the services that are on a network which leads out."""
    networks = COMPOSE["networks"] | {"egress": None}
    leading_out = {name for name, network in networks.items() if not (network or {}).get("internal")}
    return {name for name, service in services.items() if set(service["networks"]) & leading_out}


def test_nothing_but_web_and_what_tells_people_has_a_way_out_unless_something_is_remote() -> None:
    assert ways_out(SERVICES) == {"web", "alerts", "apprise"}
    assert ways_out(override("remote-hosts.yml")) == {"worker", "urgent", "watch"}
    assert ways_out(override("remote-services.yml")) | ways_out(SERVICES) == INDEX


def test_files_that_hosts_name_are_read_only_and_where_engines_are_asked() -> None:
    mounts = {name: service["volumes"] for name, service in SERVICES.items() if ":/tls:" in str(service.get("volumes"))}
    assert set(mounts) == {"worker", "urgent", "watch"}
    assert all(mount.endswith(":ro") for volumes in mounts.values() for mount in volumes)


def test_no_secret_is_written_into_the_file() -> None:
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "ALLOWED_HOSTS", "DOCKER_GID"):
        values = re.findall(rf"\${{{name}(.*?)}}", FILE.read_text())
        assert values
        assert all(value.startswith(":?is not set; run ") for value in values)
