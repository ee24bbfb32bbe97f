"""`make sample` and `make sample-clean`: put sample containers on a person's own engine, and take them away."""

import os
import subprocess
import sys
from collections.abc import Mapping

import docker
import requests
from docker.utils import kwargs_from_env

from dev import sample_containers
from dev.environment import local_environment, saved_environment
from dev.place import PROJECT
from dev.process import ServiceError

CLIENT_SECONDS = 30


def start_samples(environment: Mapping[str, str]) -> None:
    """Put the samples' rows into the database, and their containers on the engine that DOCKER_HOST names."""
    run_rows("create", environment)
    with_client(environment, sample_containers.start)


def with_client(environment: Mapping[str, str], act: sample_containers.Act) -> int:
    """Do something on the engine that DOCKER_HOST names; raise with its address if that fails."""
    address = environment.get("DOCKER_HOST", "the default socket")
    try:
        client = docker.DockerClient(**kwargs_from_env(environment=dict(environment)), timeout=CLIENT_SECONDS)
        try:
            return act(client)
        finally:
            client.close()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise ServiceError(f"the engine at {address} does not do it: {error}; is DOCKER_HOST right?") from error


def run_rows(what: str, environment: Mapping[str, str]) -> None:
    """Create or delete the samples' rows."""
    command = [sys.executable, "-m", "dev.sample_rows", what]
    subprocess.run(command, env=dict(environment), cwd=PROJECT, check=True)


def main() -> int:
    """Start or remove the samples, on the services of the last `make up` unless the environment names others."""
    os.environ.update({name: value for name, value in saved_environment().items() if not os.environ.get(name)})
    environment = local_environment()
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    try:
        subprocess.run(migrate, env=environment, cwd=PROJECT, check=True)
        if sys.argv[1:] == ["clean"]:
            count = with_client(environment, sample_containers.remove)
            run_rows("delete", environment)
            print(f"==> removed {count} sample containers, their image and their rows")
        else:
            start_samples(environment)
            print("==> sample containers run; `make sample-clean` removes them")
    except (ServiceError, subprocess.CalledProcessError) as error:
        print(f"==> {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
