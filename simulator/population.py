"""Makes managed containers by the thousand, with the rows that they need, and a small sample to look at."""

import hashlib
import time
from collections.abc import Iterator

from simulator.container import Container
from simulator.engine import Engine

Row = dict[str, str | int]
Rows = dict[str, list[Row]]

KINDS = ("project", "instance", "site", "stack")
# Long enough ago that no Status changes during a measurement: an age in days stays the same for an hour.
SECONDS_UP = 5 * 86_400 + 1
EXITED_EVERY = 10


def populate(engine: Engine, n: int, seed: int = 0) -> Rows:
    """Add n managed containers, spread over the four label paths, without events; return the rows they need.

    The same seed gives the same IDs, names and rows; engines with different seeds share none.
    """
    rows: Rows = {"workloads": [], "instances": [], "stacks": []}
    now = int(time.time())
    oldest = now - SECONDS_UP - n

    def containers() -> Iterator[Container]:
        for number in range(n):
            exited = number % EXITED_EVERY == EXITED_EVERY - 1
            name, labels = _claim(rows, seed, number)
            yield Container(
                id=hashlib.sha256(f"{seed}-{number}".encode()).hexdigest(),
                name=name,
                image=f"registry.local/app-{number % 50}:1.{number % 7}",
                labels=labels,
                ports=() if exited else ((8000 + number % 100, "tcp"), (9000, "tcp")),
                created=oldest + number,
                state="exited" if exited else "running",
                started_at=now - SECONDS_UP,
                finished_at=now - SECONDS_UP if exited else None,
            )

    engine.load(containers())
    return rows


def _claim(rows: Rows, seed: int, number: int) -> tuple[str, dict[str, str]]:
    """Return one container's name and labels; two neighbours of the same kind share a workload."""
    kind = KINDS[number // 2 % 4]
    second = number % 2
    tag = f"{seed}-{number - second}"
    workload = f"workload-{tag}"
    match kind:
        case "project":
            role = ("web", "worker")[second]
            _workload(rows, second, workload, "project", f"project-{tag}")
            labels = {"tinyforge.workload.id": workload, "tinyforge.workload.kind": "project", "tinyforge.role": role}
            return f"project-{tag}-{role}", labels
        case "instance":
            stage = ("production", "staging")[second]
            _workload(rows, second, workload, "project", f"project-{tag}")
            _instance(rows, f"instance-{tag}-{stage}", f"project-{tag}", stage)
            return f"instance-{tag}-{stage}", {
                "tinyforge.instance-id": f"instance-{tag}-{stage}",
                "tinyforge.stage": stage,
            }
        case "site":
            site = f"site-{seed}-{number}"
            _workload(rows, 0, f"workload-{seed}-{number}", "site", site)
            return site, {"tinyforge.static-site": site}
    service = ("api", "db")[second]
    project = f"tinyforge-stack-{tag}"
    _workload(rows, second, workload, "stack", f"stack-{tag}")
    if not second:
        rows["stacks"].append({"id": f"stack-{tag}", "name": f"Stack {tag}", "compose_project_name": project})
    return f"{project}-{service}-1", compose_labels(project, service)


def _workload(rows: Rows, second: int, workload_id: str, kind: str, ref_id: str) -> None:
    if not second:
        rows["workloads"].append({"id": workload_id, "kind": kind, "ref_id": ref_id, "name": ref_id.capitalize()})


def _instance(rows: Rows, instance_id: str, project_id: str, stage: str) -> None:
    rows["instances"].append(
        {
            "id": instance_id,
            "project_id": project_id,
            "stage": stage,
            "image_tag": "1.0",
            "port": 8000 + len(rows["instances"]) % 1000,
            "subdomain": instance_id,
        }
    )


def compose_labels(project: str, service: str) -> dict[str, str]:
    """Return what Compose puts on a service's first container."""
    return {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
    }


def add_sample(engine: Engine) -> str:
    """Add one container for each label path and an exited one; return the ID of one that may be restarted."""
    stack = "tinyforge-sample-stack"
    web = {"tinyforge.workload.id": "sample-shop", "tinyforge.workload.kind": "project", "tinyforge.role": "web"}
    instance = {"tinyforge.instance-id": "sample-instance", "tinyforge.stage": "production"}
    shop = engine.add("tinyforge-sample-shop-web", labels=web, image="shop:1.4", ports=[(8000, "tcp")])
    engine.add("tinyforge-sample-instance", labels=instance, image="blog:2.0", ports=[(3000, "tcp")])
    engine.add("tinyforge-sample-site", labels={"tinyforge.static-site": "sample-site"}, ports=[(80, "tcp")])
    engine.add(f"{stack}-api-1", labels=compose_labels(stack, "api"), image="api:0.9", ports=[(8080, "tcp")])
    engine.add(f"{stack}-db-1", labels=compose_labels(stack, "db"), image="postgres:16", state="exited")
    return shop
