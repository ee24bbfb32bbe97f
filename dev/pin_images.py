"""Pins the images that Dockerfile and docker-compose.yml name, by the digest that a registry gives for their tags.

An image named by its tag alone is whatever its registry gives out that day. Where no registry answers, as in a closed
network, the tags stay as they are, and the command says so.
"""

import re
import subprocess
import sys
from pathlib import Path

from dev.place import PROJECT
from dev.process import ServiceError
from dev.progress import say

FILES = ("Dockerfile", "docker-compose.yml")
PULL_SECONDS = 600.0
# What follows FROM, or stands as `image:`; the image that is built here has a variable as its tag.
_NAMED = re.compile(
    r"(?P<before>^FROM |^ +image: )(?P<image>[\w./-]+:[\w.-]+)(?P<digest>@sha256:[0-9a-f]{64})?", re.MULTILINE
)


def images(text: str) -> list[str]:
    """Return the images that a file names, each with its tag, once."""
    return sorted({match["image"] for match in _NAMED.finditer(text)})


def pinned(text: str, digests: dict[str, str]) -> str:
    """Return a file's text with a digest behind the tag of every image."""
    return _NAMED.sub(lambda match: f"{match['before']}{match['image']}@{digests[match['image']]}", text)


def digest_of(image: str) -> str:
    """Return the digest of an image, as its registry gives it now. Raises ServiceError with what Docker says."""
    _docker("pull", "--quiet", image)
    told = _docker("image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", image)
    digests = {line.partition("@")[2] for line in told.splitlines() if "@sha256:" in line}
    if len(digests) != 1:
        raise ServiceError(f"Docker tells no single digest of {image}, but: {told.strip() or 'nothing'}")
    return digests.pop()


def main(folder: Path = PROJECT) -> None:
    """Write the digests into the files, all of them or none."""
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    digests = {}
    for image in sorted({image for text in texts.values() for image in images(text)}):
        digests[image] = digest_of(image)
        say(f"{image}@{digests[image]}")
    for name, text in texts.items():
        (folder / name).write_text(pinned(text, digests), encoding="utf-8")


def _docker(*command: str) -> str:
    try:
        done = subprocess.run(["docker", *command], capture_output=True, text=True, timeout=PULL_SECONDS, check=False)
    except FileNotFoundError:
        raise ServiceError("the command docker is not here; install it, and run this again") from None
    except subprocess.TimeoutExpired:
        raise ServiceError(f"`docker {' '.join(command)}` did not end within {PULL_SECONDS:g} s") from None
    if done.returncode:
        raise ServiceError(f"`docker {' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    try:
        main()
    except ServiceError as error:
        sys.exit(
            f"==> {error}\n==> Nothing was changed. Run this where Docker works and a registry answers; "
            "until then the images are known by their tags alone."
        )
