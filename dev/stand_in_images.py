"""The images that Dockerfile and Compose file name, on a private Engine: the real ones, or else stand-ins.

A stand-in has Debian's programs, and the commands, users, volumes and flags of the real image as far as they are used.
It is built without a registry: its root file system is made by mmdebstrap from this machine's mirror of Debian.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import docker

from dev.debian import alone, cache_folder, mirror
from dev.packages import install_mmdebstrap
from dev.place import PROJECT
from dev.process import ServiceError, run_quietly
from dev.progress import say

RELEASE = "trixie"
PACKAGES = ("ca-certificates", "python3.13-venv", "valkey-server", "postgresql-17")
BASE = "tinyforge-trixie"
IS_STAND_IN = "tinyforge.stand-in"
RECIPES = PROJECT / "dev" / "stand_ins"
BY_REPOSITORY = {
    "python": "python",
    "valkey/valkey": "valkey",
    "postgres": "postgres",
    "wollomatic/socket-proxy": "socket-proxy",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ROOT_SECONDS = 900.0
PIP_SECONDS = 60.0
# What pip has to know to reach an index; all else that this machine tells it, such as folders, is its own.
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy")


def provide(client: docker.DockerClient, images: Sequence[str]) -> list[str]:
    """Make sure of these images on an Engine; return those for which stand-ins were made. Raises ServiceError."""
    # A stand-in of an earlier run is made anew, which takes no time if its recipe has not changed.
    stood_in = _stand_ins(client, images)
    missing = [image for image in images if image in stood_in or not client.images.list(image)]
    if not all(_is_pulled(client, image) for image in missing):
        if not client.images.list(f"{BASE}:{_digest()}"):
            _import_base(client)
        for image in missing:
            _build(client, image)
    return _stand_ins(client, images)


def _stand_ins(client: docker.DockerClient, images: Sequence[str]) -> list[str]:
    return [image for image in images if client.images.list(image, filters={"label": IS_STAND_IN})]


def _is_pulled(client: docker.DockerClient, image: str) -> bool:
    try:
        client.images.pull(image)
    except docker.errors.APIError:
        return False
    return True


def _import_base(client: docker.DockerClient) -> None:
    with root_archive().open("rb") as archive:
        client.api.import_image_from_data(archive, repository=BASE, tag=_digest())


def root_archive() -> Path:
    """Return a root file system of Debian, made once and kept in the user's cache. Raises ServiceError."""
    archive = cache_folder().parent / f"{RELEASE}-compose-{_digest()}.tar"
    if archive.exists():
        return archive
    program = _require_mmdebstrap()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with alone(archive.with_suffix(".lock")):
        if not archive.exists():
            _make_root(program, archive)
    return archive


def _make_root(program: str, archive: Path) -> None:
    """Make a root file system; what is under the final name is always complete."""
    say(f"making a root file system of Debian {RELEASE} with {', '.join(PACKAGES)}: two or three minutes, once")
    prefix = f".new-{archive.stem}-"
    for left in archive.parent.glob(f"{prefix}*"):
        # somebody was killed at this
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=prefix) as folder:
        made = Path(folder) / "root.tar"
        run_quietly([program, *_recipe(), str(made), mirror()], timeout_seconds=ROOT_SECONDS)
        made.replace(archive)


def _recipe() -> list[str]:
    return ["--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE]


def _digest() -> str:
    """Return what tells a root file system from those of another release, other packages or another recipe."""
    return hashlib.sha256(repr(_recipe()).encode()).hexdigest()[:12]


def _require_mmdebstrap() -> str:
    program = install_mmdebstrap()
    if program is None or os.geteuid() != 0:
        raise ServiceError("stand-ins for images are made by root on Debian, with mmdebstrap; or let a registry answer")
    return program


def _build(client: docker.DockerClient, image: str) -> None:
    repository = image.partition(":")[0]
    if repository not in BY_REPOSITORY:
        raise ServiceError(f"there is no stand-in for {image}; write one into {RECIPES}, and name it in {__name__}")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        for source in (*RECIPES.iterdir(), CERTIFICATES):
            (context / source.name).write_bytes(source.read_bytes())
            (context / source.name).chmod(0o755)
        (context / "pip.conf").write_text(_pip_configuration())
        recipe = f"{BY_REPOSITORY[repository]}.Dockerfile"
        client.images.build(
            path=folder,
            dockerfile=recipe,
            tag=image,
            buildargs={"BASE": f"{BASE}:{_digest()}"},
            labels={IS_STAND_IN: repository},
            rm=True,
            network_mode="none",
        )


def _pip_configuration() -> str:
    """Return the lines by which pip finds its index in a container as it does here."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS, check=True).stdout
    lines = ["[global]"]
    for line in said.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in PIP_OPTIONS and "file:" not in value:
            lines.append(f"{option} = {value.strip(chr(39))}")
    return "\n".join(lines) + "\n"
