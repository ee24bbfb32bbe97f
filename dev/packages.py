"""Installs Debian packages that a machine does not have, as root, and says so."""

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dev.dormant import dormant
from dev.process import run_quietly

INSTALL_SECONDS = 900.0
DOCKER_PACKAGES = ("docker.io", "busybox-static")
POSTGRES_PACKAGES = ("postgresql",)
SSHD_PACKAGES = ("openssh-server",)
BROWSER_PACKAGES = ("chromium", "chromium-driver")
NPM_PACKAGES = ("npm",)
PROMETHEUS_PACKAGES = ("prometheus",)
FAKETIME_PACKAGES = ("faketime",)
SLIRP_PACKAGES = ("slirp4netns",)
MMDEBSTRAP_PACKAGES = ("mmdebstrap",)
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(name: str) -> str | None:
    """Return the path of a program, looking in the system's own folders too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")


def can_install() -> bool:
    """Tell whether this is root on a machine with apt-get."""
    return os.geteuid() == 0 and find_program("apt-get") is not None


def install_docker() -> bool:
    """Install dockerd and a static busybox if they are absent; return whether both are there."""
    if find_program("dockerd") and static_busybox():
        return True
    if can_install():
        install(DOCKER_PACKAGES, why="no Docker Engine here")
    return bool(find_program("dockerd") and static_busybox())


def install_sshd() -> bool:
    """Install sshd if it is absent; return whether it is there."""
    if find_program("sshd") is None and can_install():
        install(SSHD_PACKAGES, why="no ssh server here")
    return find_program("sshd") is not None


def install_browser() -> bool:
    """Install Chromium and its driver if they are absent; return whether both are there."""
    if not has_browser() and can_install():
        install(BROWSER_PACKAGES, why="no browser here")
    return has_browser()


def install_npm() -> bool:
    """Install npm if it is absent, for axe-core; return whether it is there."""
    if find_program("npm") is None and can_install():
        install(NPM_PACKAGES, why="no npm here")
    return find_program("npm") is not None


def has_browser() -> bool:
    """Tell whether Chromium and its driver are there."""
    return bool(find_program("chromium") and find_program("chromedriver"))


def install_prometheus() -> bool:
    """Install Prometheus and promtool if they are absent; return whether both are there."""
    if not has_prometheus() and can_install():
        install(PROMETHEUS_PACKAGES, why="no Prometheus here")
    return has_prometheus()


def has_prometheus() -> bool:
    """Tell whether Prometheus and promtool are there."""
    return bool(find_program("prometheus") and find_program("promtool"))


def install_slirp() -> str | None:
    """Install slirp4netns, a way out for a private network, if it is absent; return its path."""
    if find_program("slirp4netns") is None and can_install():
        install(SLIRP_PACKAGES, why="nothing here gives a private network a way out")
    return find_program("slirp4netns")


def install_mmdebstrap() -> str | None:
    """Install mmdebstrap, which makes root file systems of Debian, if it is absent; return its path."""
    if find_program("mmdebstrap") is None and can_install():
        install(MMDEBSTRAP_PACKAGES, why="nothing here makes a root file system of Debian")
    return find_program("mmdebstrap")


def install_faketime() -> Path | None:
    """Install libfaketime, which gives a process a clock of its own, if it is absent; return its file for threads."""
    if _faketime() is None and can_install():
        install(FAKETIME_PACKAGES, why="no libfaketime here")
    return _faketime()


def _faketime() -> Path | None:
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def static_busybox() -> Path | None:
    """Return a busybox that runs in an empty image, if there is one."""
    found = find_program("busybox")
    if found is None:
        return None
    # A statically linked program names no loader; one name is enough to tell the two apart.
    return None if b"/ld-linux" in Path(found).read_bytes() else Path(found)


def install(packages: Sequence[str], *, why: str) -> None:
    """Install Debian packages, but start none of their services; raise with apt's last words if that fails."""
    print(f"==> {why}: installing {' '.join(packages)} with apt-get, this takes a minute", flush=True)
    fetch_lists()
    with dormant():
        _apt_get("install", "-y", "--no-install-recommends", *packages, advice=f"install {' '.join(packages)} yourself")


@functools.cache
def fetch_lists() -> None:
    """Ask once what Debian has now: what is installed afterwards needs no other answer."""
    _apt_get("update", advice="run `apt-get update` yourself")


def _apt_get(*arguments: str, advice: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_quietly(["apt-get", *arguments, "-q"], env=env, timeout_seconds=INSTALL_SECONDS, advice=advice)


if __name__ == "__main__":
    for what, install_it in (
        ("Docker Engine", install_docker),
        ("ssh server", install_sshd),
        ("browser", install_browser),
        ("Prometheus", install_prometheus),
        ("npm", install_npm),
        ("libfaketime", install_faketime),
        ("slirp4netns", install_slirp),
        ("mmdebstrap", install_mmdebstrap),
    ):
        if not install_it():
            print(f"==> no {what} here and none can be installed: tests that need one are skipped, or fail under CI")
