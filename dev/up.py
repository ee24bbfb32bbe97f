"""`make up`: the whole index on this machine with one command, and nothing left behind after Ctrl-C."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack

import redis

from dev.engine_choice import EngineChoice, choose_engine
from dev.environment import local_environment, save_environment
from dev.guard import Guard
from dev.leftovers import end_started_by
from dev.login import USER, ensure_login
from dev.place import (
    DATABASE_FILE,
    DOCKER_DATA_FOLDER,
    ENV_FILE,
    PASSWORD_FILE,
    PROJECT,
    private_folder,
    socket_folder,
    valkey_folder,
)
from dev.ports import next_free_port
from dev.process import ServiceError
from dev.procfile import Processes
from dev.progress import say
from dev.sample import run_rows, start_samples
from dev.single import only_one
from dev.terminal import Stopped, foreground, ignore_stop_signals, stop_if_hung_up, stop_on_signals
from dev.valkey import Valkey

DEFAULT_PORT = "8000"
REDIS_SECONDS = 5


def main() -> int:
    """Start everything, wait, stop everything; return 0 after Ctrl-C and 1 after a failure."""
    stop_on_signals()
    try:
        with foreground() as has_terminal, only_one():
            _run(has_terminal=has_terminal)
    except Stopped:
        say("stopped")
        return 0
    except ServiceError as error:
        say(f"make up failed: {error}")
    except subprocess.CalledProcessError as error:
        say(f"make up failed: `{' '.join(error.cmd)}` ended with {error.returncode}; its last words are above")
    return 1


def _run(*, has_terminal: bool) -> None:
    with ExitStack() as stack:
        try:
            processes = _start(stack)
            while True:
                processes.look()
                if has_terminal:
                    stop_if_hung_up()
        finally:
            # The clearing up that follows is bounded; nothing may interrupt it.
            ignore_stop_signals()
            say("stopping everything")


def _start(stack: ExitStack) -> Processes:
    private_folder(socket_folder())
    _be_guarded()
    redis_url = _redis(stack)
    choice = choose_engine(stack)
    environment = local_environment({"REDIS_URL": redis_url, "DOCKER_HOST": choice.url})
    _prepare_database(environment)
    password = ensure_login(environment)
    save_environment(environment)
    _show_samples(choice, environment)
    processes = Processes(environment, port=web_port())
    stack.callback(processes.stop)
    say("web, workers, beat and watcher: starting")
    processes.start()
    _greet(processes.url, password, choice)
    return processes


def _be_guarded() -> None:
    # The same for every run of this project, and no other's.
    name = f"up-{socket_folder().name}"
    if ended := end_started_by(name):
        say(f"ended {ended} processes that an earlier `make up` left running when it was killed")
    guard = Guard(name)
    for folder in (socket_folder(), DOCKER_DATA_FOLDER):
        guard.unmount_at_end(folder)


def _redis(stack: ExitStack) -> str:
    if url := os.environ.get("REDIS_URL"):
        _require_redis(url)
        say("Redis: the server that REDIS_URL names")
        return url
    valkey = Valkey(valkey_folder())
    stack.callback(valkey.stop)
    valkey.start()
    say(f"Redis: an embedded Valkey at {valkey.url}")
    return valkey.url


def _require_redis(url: str) -> None:
    try:
        redis.Redis.from_url(url, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS).ping()
    except (redis.RedisError, ValueError) as error:
        raise ServiceError(
            f"the server that REDIS_URL names does not answer: {error}; "
            "start it, or unset REDIS_URL (`unset REDIS_URL`) for an embedded one"
        ) from error


def _prepare_database(environment: Mapping[str, str]) -> None:
    say("database: " + ("the one DATABASE_URL names" if os.environ.get("DATABASE_URL") else f"SQLite, {DATABASE_FILE}"))
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"], env=dict(environment), cwd=PROJECT, check=True
    )


def _show_samples(choice: EngineChoice, environment: Mapping[str, str]) -> None:
    if choice.simulated:
        run_rows("create", environment)
    elif choice.private:
        start_samples(environment)
        say("samples: a few containers on the private engine")
    else:
        say("samples: none on your own engine; `make sample` starts some, `make sample-clean` removes them")


def web_port() -> int:
    """Return the port that PORT names, or the first free one after it. Raises ServiceError."""
    wanted = os.environ.get("PORT") or DEFAULT_PORT
    if not wanted.isdecimal() or not 0 < int(wanted) < 65536:
        raise ServiceError(f"PORT={wanted!r} is not usable; allowed: a number from 1 to 65535")
    port = next_free_port(int(wanted))
    if port != int(wanted):
        say(f"web: port {wanted} is taken, so {port}")
    return port


def _greet(url: str, password: str | None, choice: EngineChoice) -> None:
    secret = password or "(the one you gave it; `manage.py changepassword admin` sets another)"
    print(
        f"\n    {url}\n    user      {USER}\n    password  {secret}\n\n"
        f"    The password is kept in {PASSWORD_FILE.relative_to(PROJECT)}.\n"
        f"    {_to_try(choice)}\n"
        f"    In another shell: (. {ENV_FILE.relative_to(PROJECT)} && .venv/bin/python manage.py reconcile)\n"
        "    Ctrl-C stops everything.\n",
        flush=True,
    )


def _to_try(choice: EngineChoice) -> str:
    """Return what shows that the page is alive."""
    if choice.simulated:
        return "The engine is simulated, so there is little to see: with a Docker Engine there is more."
    if choice.private:
        kill = f"(. {ENV_FILE.relative_to(PROJECT)} && docker kill tinyforge-sample-shop-web)"
        return f"Watch the page, and in another shell try: {kill}"
    return "Watch the page, and in another shell start, kill or remove a container; `make sample` starts some."


if __name__ == "__main__":
    sys.exit(main())
