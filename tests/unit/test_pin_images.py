"""Base images are pinned by the digests that a registry gives, all of them or none."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from dev.pin_images import FILES, images, main, pinned
from dev.process import ServiceError

PROJECT = Path(__file__).parents[2]
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def test_every_image_that_is_not_built_here_is_found() -> None:
    found = {image.partition(":")[0] for name in FILES for image in images((PROJECT / name).read_text())}
    assert found == {"python", "valkey/valkey", "postgres", "wollomatic/socket-proxy"}


def test_an_image_gets_its_digest_behind_its_tag() -> None:
    assert pinned("FROM python:3.13.15-slim AS build\n", {"python:3.13.15-slim": DIGEST}) == (
        f"FROM python:3.13.15-slim@{DIGEST} AS build\n"
    )


def test_an_old_digest_gives_way_to_the_new_one() -> None:
    text = "    image: postgres:17.7-alpine\n"
    once = pinned(text, {"postgres:17.7-alpine": OTHER})
    assert pinned(once, {"postgres:17.7-alpine": DIGEST}) == f"    image: postgres:17.7-alpine@{DIGEST}\n"


def docker_that(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a command `docker` on PATH that does this."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in FILES:
        shutil.copy(PROJECT / name, folder)


def test_where_a_registry_answers_every_image_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_that(tmp_path, f'if [ "$1" = image ]; then echo "x@{DIGEST}"; fi', monkeypatch)
    main(tmp_path)
    pins = [(tmp_path / name).read_text().count(f"@{DIGEST}") for name in FILES]
    assert pins == [2, 3]


def test_where_no_registry_answers_nothing_is_changed_and_dockers_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_that(
        tmp_path, 'case "$*" in *python*) echo "no such host" >&2; exit 1;; *) echo "x@sha256:";; esac', monkeypatch
    )
    before = [(tmp_path / name).read_text() for name in FILES]
    with pytest.raises(ServiceError, match=r"docker pull --quiet .*|tells no single digest"):
        main(tmp_path)
    assert [(tmp_path / name).read_text() for name in FILES] == before


def test_a_machine_without_docker_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_that(tmp_path, "", monkeypatch)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServiceError, match="the command docker is not here"):
        main(tmp_path)
