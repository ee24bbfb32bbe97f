"""Which Docker Engine `make up` watches: the person's own, or else a private one, or else the simulator."""

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass

from docker.utils import kwargs_from_env

from dev.engine import DockerEngine, silence_reason
from dev.packages import install_docker
from dev.place import DOCKER_DATA_FOLDER, PROJECT, SIMULATOR_FOLDER, socket_folder
from dev.process import Child, ServiceError
from dev.progress import say, shout

DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock"
SIMULATOR_START_SECONDS = 60.0
SIMULATOR_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """An engine that answers, and whether sample containers may be started on it without asking."""

    url: str
    private: bool = False
    simulated: bool = False


def choose_engine(stack: ExitStack) -> EngineChoice:
    """Find or start an engine; whatever is started ends with the stack."""
    given = kwargs_from_env(environment=dict(os.environ))
    url = str(given.get("base_url") or DEFAULT_DOCKER_HOST)
    reason = silence_reason(url, given.get("tls", False))
    if reason is None:
        say(f"Docker: the engine at {url}")
        return EngineChoice(url=url)
    say(f"Docker: no engine answers at {url} ({_first_line(reason)})")
    try:
        return EngineChoice(url=_start_private(stack), private=True)
    except ServiceError as error:
        say(f"Docker: no private engine: {error}")
    return EngineChoice(url=_start_simulator(stack), simulated=True)


def _start_private(stack: ExitStack) -> str:
    if os.geteuid() != 0:
        raise ServiceError("that needs root, and this is not root")
    install_docker()
    engine = DockerEngine(socket_folder(), data_root=DOCKER_DATA_FOLDER)
    engine.clear()
    stack.callback(engine.stop)
    engine.start()
    say(f"Docker: a private engine at {engine.url}, data in {DOCKER_DATA_FOLDER}, log in {socket_folder()}")
    return engine.url


def _start_simulator(stack: ExitStack) -> str:
    SIMULATOR_FOLDER.mkdir(parents=True, exist_ok=True)
    socket = socket_folder() / "simulator.sock"
    url = f"unix://{socket}"
    command = [sys.executable, "-m", "simulator", "--socket", str(socket), "--sample"]
    child = Child("simulator", command, directory=SIMULATOR_FOLDER, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    stack.callback(child.stop, timeout_seconds=SIMULATOR_STOP_SECONDS)
    child.start(lambda: silence_reason(url) is None, timeout_seconds=SIMULATOR_START_SECONDS)
    shout(
        "THERE IS NO DOCKER ENGINE HERE: what you will see is SIMULATED.",
        "Set DOCKER_HOST to a real engine, or run as root on Debian, where one is installed and started for you.",
    )
    return url


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "no reason given"
