"""Clear away what a killed Engine leaves: container shims, their containers, mounts, control groups. Only its own."""

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from dev.leftovers import wait_ended, with_descendants

END_SECONDS = 10.0
POLL_SECONDS = 0.05
MOUNT_TABLE = Path("/proc/self/mountinfo")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
# Docker's and Podman's, each below every controller of the old hierarchy, or below the new one.
GROUPS_OF_A_CONTAINER = ("docker/{id}", "*/docker/{id}", "libpod_parent/libpod-{id}", "*/libpod_parent/libpod-{id}")
# Where Docker and Podman keep what they know of each container, below a folder of one Engine or of a whole run.
CONTAINERS_BELOW = ("containers", "overlay-containers")
DEPTHS = ("", "data/", "*/data/", "*/*/data/", "*/*/*/data/")


def end_leftovers(exec_root: Path) -> None:
    """Kill the containerd and the shims that work below an exec-root, with the containers they hold."""
    _kill(with_descendants(_working_below(exec_root)))


def end_containerd(exec_root: Path) -> None:
    """Kill the containerd of a dead daemon and forget its process id, but leave the containers running.

    A daemon that finds this process id in use, even by a zombie, waits for it to answer instead of starting a new one.
    """
    _kill([process for process in _working_below(exec_root) if process.name() == "containerd"])
    (exec_root / "containerd" / "containerd.pid").unlink(missing_ok=True)


def unmount_leftovers(directory: Path) -> None:
    """Unmount everything mounted on or below a directory, innermost first."""
    if not MOUNT_TABLE.exists():
        return
    mounted = [_mount_point(line) for line in MOUNT_TABLE.read_text().splitlines()]
    below = [path for path in mounted if path.is_relative_to(directory)]
    for path in sorted(below, key=lambda path: len(path.parts), reverse=True):
        # Lazily: whatever still holds it open has just been killed.
        subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)


def remove_control_groups(directory: Path) -> None:
    """Remove the control groups of the containers whose data lies below a directory, as soon as these have ended."""
    groups = control_groups(container_ids(directory))
    deadline = time.monotonic() + END_SECONDS
    while (left := [group for group in groups if not _removed(group)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        groups = left


def container_ids(directory: Path) -> list[str]:
    """Return the ids of the containers whose data lies below a directory."""
    patterns = [f"{depth}{name}/{'[0-9a-f]' * 64}" for depth in DEPTHS for name in CONTAINERS_BELOW]
    return sorted({path.name for pattern in patterns for path in directory.glob(pattern)})


def control_groups(ids: Iterable[str]) -> list[Path]:
    """Return the control groups that containers have."""
    patterns = [pattern.format(id=each) for each in ids for pattern in GROUPS_OF_A_CONTAINER]
    return [path for pattern in patterns for path in CONTROL_GROUPS.glob(pattern)]


def _removed(group: Path) -> bool:
    """Remove a control group with those inside it; tell whether it is gone. One that is in use stays."""
    inside = sorted(path for path in group.glob("**/") if path.is_dir())
    for path in [*reversed(inside), group]:
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def _working_below(exec_root: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _works_below(process, exec_root)]


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    wait_ended(processes, timeout_seconds=END_SECONDS)


def _works_below(process: psutil.Process, exec_root: Path) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    is_containerd = bool(command) and Path(command[0]).name.startswith("containerd")
    return is_containerd and any(Path(argument).is_relative_to(exec_root) for argument in command[1:])


def _mount_point(line: str) -> Path:
    # Blanks and the like are written as three octal digits, see proc(5).
    return Path(line.split(" ")[4].encode().decode("unicode_escape"))
