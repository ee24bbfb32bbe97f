"""Makes a tiny image without a registry: a static busybox, imported as a tar."""

import io
import tarfile
from pathlib import Path

import docker

from dev.packages import static_busybox
from dev.process import ServiceError

REPOSITORY = "tinyforge-busybox"
APPLETS = ("cat", "echo", "false", "httpd", "kill", "ls", "sh", "sleep", "true", "wget")
# As process 1 a shell ignores SIGTERM unless it traps it, and would then be waited for for ten seconds.
RUN_UNTIL_TERMINATED = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"


def import_busybox(api: docker.APIClient, tag: str = "latest") -> str:
    """Import a static busybox over the Engine API; return the image's name with its tag."""
    busybox = static_busybox()
    if busybox is None:
        raise ServiceError("no static busybox here; `apt-get install busybox-static` (not `busybox`) brings one")
    api.import_image_from_data(
        _tar(busybox),
        repository=REPOSITORY,
        tag=tag,
        changes=[f'CMD ["/bin/sh", "-c", "{RUN_UNTIL_TERMINATED}"]', "ENV PATH=/bin"],
    )
    return f"{REPOSITORY}:{tag}"


def _tar(busybox: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        program = archive.gettarinfo(str(busybox), arcname="bin/busybox")
        program.mode = 0o755
        with busybox.open("rb") as file:
            archive.addfile(program, file)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()
