"""The Compose file of this project on a private Docker Engine: its images, its folder, its commands.

The file itself is run as it is. What is laid over it is what such a machine forces: the build has no other network than
the Engine's, the Engine's socket lies elsewhere, and web's port is published inside the Engine's network.
"""

import contextlib
import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from dev.debian import Programs, unpacked
from dev.engine import DockerEngine
from dev.engine_kinds import DOCKER_PACKAGES
from dev.leftovers import STARTED_BY
from dev.pin_images import FILES, images
from dev.place import PROJECT
from dev.private_network import PrivateNetwork
from dev.process import run_quietly
from dev.stand_in_images import provide

RELEASE = "trixie"
ENGINE = Programs(release=RELEASE, packages=DOCKER_PACKAGES)
CLIENT = Programs(release=RELEASE, packages=("docker-cli", "docker-compose", "docker-buildx"))
COMMAND_SECONDS = 600.0
PULL_SECONDS = 600
INNER_PORT = 8000
OVERRIDE = "private-engine.yml"
OVERLAID = """\
services:
  worker:
    build: {{ network: host }}
  web:
    ports: !override ["{port}:8000"]
  socket-proxy:
    volumes: ["{socket}:/var/run/docker.sock:ro"]
"""
HANDED_ON = ("PATH", "LANG", STARTED_BY, "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
NOT_SHIPPED = ("__pycache__", "*.pyc")


class ComposeEngine:
    """A private Docker Engine in a network that leads out, and the commands `docker` and `docker compose` for it."""

    def __init__(self, directory: Path, *, data_root: Path | None = None) -> None:
        """Describe it; sockets lie in `directory`, whose path has to be short."""
        self.directory = directory
        self.network = PrivateNetwork(directory)
        self.docker = DockerEngine(directory, programs=ENGINE, data_root=data_root, extra_args=["--iptables=true"])

    @property
    def program(self) -> Path:
        """Return the path of the command `docker`, fetching it if it is not there. Raises ServiceError."""
        return unpacked(CLIENT) / "usr" / "bin" / "docker"

    def start(self) -> None:
        """Start it with an image of busybox. Raises ServiceError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        plugins = str(unpacked(CLIENT) / "usr" / "libexec" / "docker" / "cli-plugins")
        (self.directory / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [plugins]}))
        self.network.start()
        self.docker.enter_network = self.network.enter
        self.docker.start()
        self.docker.import_busybox()

    def stop(self) -> None:
        """End it with all its containers."""
        self.docker.stop()
        self.network.stop()

    def run(self, *command: str, folder: Path = PROJECT) -> str:
        """Run a command of `docker` in a folder, and return what it prints. Raises ServiceError."""
        # Of the person's own variables Compose must see none: they would win over those in .env.
        environment = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        environment |= {"DOCKER_HOST": self.docker.url, "DOCKER_CONFIG": str(self.directory), "HOME": str(folder)}
        return run_quietly(
            [str(self.program), *command], env=environment, directory=folder, timeout_seconds=COMMAND_SECONDS
        )


class ComposeSite:
    """A folder with what the image and the Compose file are made of, as somebody has who has fetched the project."""

    def __init__(self, folder: Path, engine: ComposeEngine) -> None:
        """Describe it."""
        self.folder = folder
        self.engine = engine

    def compose(self, *command: str) -> str:
        """Run a command of `docker compose`, and return what it prints. Raises ServiceError."""
        return self.engine.run("compose", *command, folder=self.folder)

    def manage(self, *command: str, **environment: str) -> str:
        """Run a command of `manage.py` in the container of web, and return what it prints. Raises ServiceError."""
        return self._in_web("manage.py", *command, **environment)

    def python(self, script: str, *arguments: str, **environment: str) -> str:
        """Run a script in the container of web, and return what it prints. Raises ServiceError."""
        return self._in_web("-c", script, *arguments, **environment)

    def _in_web(self, *command: str, **environment: str) -> str:
        given = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        return self.compose("exec", "-T", *given, "web", "python", *command)

    def fetch(self, commit: str | None = None) -> None:
        """Take the files of a commit, or those that lie in the project now; what else is in the folder stays.

        Raises ServiceError if git does not give the commit.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in shipped():
            _remove(self.folder / name)
        if commit:
            with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
                _git("archive", f"--output={archive.name}", commit)
                with tarfile.open(archive.name) as files:
                    files.extractall(self.folder, filter="data")
            return
        for name in shipped():
            _copy(PROJECT / name, self.folder / name)

    def provide_images(self) -> list[str]:
        """Make sure of the images that are taken here; return those that are stand-ins. Raises ServiceError."""
        texts = [(self.folder / name).read_text(encoding="utf-8") for name in FILES]
        with contextlib.closing(self.engine.docker.client(timeout_seconds=PULL_SECONDS)) as client:
            return provide(client, sorted({image for text in texts for image in images(text)}))

    def configure(self, **settings: str) -> None:
        """Write .env by deploy/new-env unless it is there, and set in it what is to be different."""
        if not (self.folder / ".env").exists():
            run_quietly(["sh", "deploy/new-env"], directory=self.folder, timeout_seconds=COMMAND_SECONDS)
        overlaid = OVERLAID.format(port=INNER_PORT, socket=self.engine.docker.socket)
        (self.folder / OVERRIDE).write_text(overlaid)
        group = str(self.engine.docker.socket.stat().st_gid)
        forced = {"COMPOSE_FILE": f"docker-compose.yml:{OVERRIDE}", "DOCKER_GID": group}
        self._set(forced | settings)

    def _set(self, settings: dict[str, str]) -> None:
        path = self.folder / ".env"
        lines = path.read_text().splitlines()
        kept = [line for line in lines if line.partition("=")[0] not in settings]
        path.write_text("".join(f"{line}\n" for line in (*kept, *(f"{name}={settings[name]}" for name in settings))))


def shipped() -> list[str]:
    """Return the names of files and folders that the image is built from, and of those that Compose reads."""
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    return [*FILES, ".dockerignore", "deploy", *let_in]


def previous_commit() -> str | None:
    """Return the commit before the present one, or None if this clone does not reach so far back.

    Raises ServiceError if git cannot tell.
    """
    _, *parents = _git("rev-list", "--parents", "--max-count=1", "HEAD").split()
    return parents[0] if parents else None


def _git(*arguments: str) -> str:
    return run_quietly(["git", *arguments], directory=PROJECT, timeout_seconds=COMMAND_SECONDS)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    else:
        shutil.copyfile(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
