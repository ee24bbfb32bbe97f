"""`make up-compose`: the Compose file as it runs in production, on a private Docker Engine, with one command.

All that it keeps is in var/compose: the folder of the site with its .env, and the Engine's images and volumes.
"""

import secrets
import sys
from contextlib import ExitStack

from dev import sample_containers, sample_rows
from dev.compose import INNER_PORT, ComposeEngine, ComposeSite
from dev.guard import Guard
from dev.leftovers import end_started_by
from dev.login import PASSWORD_BYTES, USER
from dev.packages import install_docker
from dev.place import COMPOSE_FOLDER, PROJECT, compose_socket_folder, private_folder, write_private
from dev.process import ServiceError
from dev.progress import say
from dev.sample import with_client
from dev.single import only_one
from dev.terminal import Stopped, foreground, ignore_stop_signals, stop_on_signals, wait_for_the_end
from dev.up import web_port

DATA_FOLDER = COMPOSE_FOLDER / "docker"
SITE_FOLDER = COMPOSE_FOLDER / "site"
PASSWORD_FILE = COMPOSE_FOLDER / "admin-password"
# Run in the container of web, which has nothing of dev/.
MAKE_LOGIN = """
import django, os, sys
django.setup()
from django.contrib.auth import get_user_model
users = get_user_model().objects
users.filter(username=sys.argv[1]).exists() or users.create_superuser(sys.argv[1], "", os.environ["PASSWORD"])
"""


def main() -> int:
    """Start everything, wait, stop everything; return 0 after Ctrl-C and 1 after a failure."""
    stop_on_signals()
    try:
        with foreground() as has_terminal, only_one(), ExitStack() as stack:
            try:
                _start(stack)
                wait_for_the_end(has_terminal=has_terminal)
            finally:
                # The clearing up that follows is bounded; nothing may interrupt it.
                ignore_stop_signals()
                say("stopping everything, which may take a minute")
    except Stopped:
        say("stopped; the next `make up-compose` goes on with the same data")
        return 0
    except ServiceError as error:
        say(f"make up-compose failed: {error}")
    return 1


def _start(stack: ExitStack) -> None:
    if not install_docker():
        raise ServiceError("a private Docker Engine needs root on Debian; elsewhere follow docs/production.md")
    private_folder(COMPOSE_FOLDER)
    private_folder(compose_socket_folder())
    _be_guarded()
    engine = ComposeEngine(compose_socket_folder(), data_root=DATA_FOLDER)
    stack.callback(engine.stop)
    say("a private Docker Engine: starting")
    engine.start()
    site = ComposeSite(SITE_FOLDER, engine)
    _prepare(site)
    say("docker compose up: building the image and starting all services, this takes a minute the first time")
    stack.callback(site.compose, "down")
    site.compose("up", "-d", "--build")
    password = _show_something(site)
    port = web_port()
    engine.network.publish(port, inner_port=INNER_PORT)
    _greet(site, port, password)


def _be_guarded() -> None:
    # The same for every run of this project, and no other's.
    name = f"compose-{compose_socket_folder().name}"
    if ended := end_started_by(name):
        say(f"ended {ended} processes that an earlier `make up-compose` left running when it was killed")
    guard = Guard(name)
    for folder in (compose_socket_folder(), DATA_FOLDER):
        guard.unmount_at_end(folder)


def _prepare(site: ComposeSite) -> None:
    site.fetch()
    site.configure(ALLOWED_HOSTS="127.0.0.1,localhost", CSRF_TRUSTED_ORIGINS="", HTTPS="0")
    stand_ins = site.provide_images()
    if stand_ins:
        say(f"images: stand-ins made of Debian's packages, as no registry gives {', '.join(stand_ins)}")
    else:
        say("images: those that the files name")


def _show_something(site: ComposeSite) -> str:
    """Make a login and some containers with their rows; return the password."""
    if not PASSWORD_FILE.exists():
        write_private(PASSWORD_FILE, secrets.token_urlsafe(PASSWORD_BYTES))
    password = PASSWORD_FILE.read_text().strip()
    settings = {"DJANGO_SETTINGS_MODULE": "tinyforge.settings", "PASSWORD": password}
    site.python(MAKE_LOGIN, USER, **settings)
    rows = (PROJECT / "dev" / f"{sample_rows.__name__.rpartition('.')[2]}.py").read_text(encoding="utf-8")
    site.python(rows, "create", **settings)
    with_client({"DOCKER_HOST": site.engine.docker.url}, sample_containers.start)
    return password


def _greet(site: ComposeSite, port: int, password: str) -> None:
    client = f"DOCKER_CONFIG={site.engine.directory} DOCKER_HOST={site.engine.docker.url} {site.engine.program}"
    print(
        f"\n    http://127.0.0.1:{port}/\n    user      {USER}\n    password  {password}\n\n"
        f"    The password is the first one of this user, and kept in {PASSWORD_FILE.relative_to(PROJECT)}.\n"
        f"    In another shell: cd {SITE_FOLDER}\n"
        f"    and then, for example: {client} compose ps\n"
        "    Ctrl-C stops everything.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
