"""Blobs as a disk treats them: cut short, changed, and synced where that is asked for."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from stellwerk.errors import ResultError
from stellwerk.store.blobs import FolderBlobs

DATA = b"timetable" * 10_000
DIGEST = hashlib.blake2b(DATA, digest_size=32).digest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder that does not exist yet."""
    return tmp_path / "blobs"


def file_of(folder: Path) -> Path:
    return folder / DIGEST.hex()[:2] / DIGEST.hex()[2:]


@pytest.mark.parametrize("left", [b"", DATA[:100], DATA + b"x"])
def test_a_file_of_another_size_is_written_anew(folder: Path, left: bytes) -> None:
    blobs = FolderBlobs(folder)
    blobs.put(DIGEST, DATA)
    file_of(folder).write_bytes(left)
    blobs.put(DIGEST, DATA)
    assert blobs.get(DIGEST) == DATA


def test_a_changed_file_is_moved_aside_and_can_be_put_again(folder: Path) -> None:
    blobs, path = FolderBlobs(folder), file_of(folder)
    blobs.put(DIGEST, DATA)
    path.write_bytes(DATA[:-1] + b"?")
    with pytest.raises(ResultError, match="no longer matches its hash") as caught:
        blobs.get(DIGEST)
    assert f"{path}.corrupt" in caught.value.hint
    assert Path(f"{path}.corrupt").read_bytes() == DATA[:-1] + b"?"
    with pytest.raises(ResultError, match="is missing"):
        blobs.get(DIGEST)
    blobs.put(DIGEST, DATA)
    assert blobs.get(DIGEST) == DATA


def test_putting_again_refreshes_the_age_and_writes_nothing(folder: Path) -> None:
    blobs, path = FolderBlobs(folder), file_of(folder)
    blobs.put(DIGEST, DATA)
    os.utime(path, (1, 1))
    before = path.stat()
    blobs.put(DIGEST, DATA)
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime > 1


def test_power_syncs_the_file_and_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    FolderBlobs(folder).put(DIGEST, DATA)
    assert not synced
    path = file_of(folder)
    blobs = FolderBlobs(folder, "power")
    blobs.put(DIGEST, DATA)  # there already, but perhaps not on the disk
    assert {str(path), str(path.parent)} <= set(synced)
    path.unlink()
    synced.clear()
    blobs.put(DIGEST, DATA)
    assert synced[0].startswith(f"{path.parent}/.{path.name}")
    assert synced[1:] == [str(path.parent), str(folder), str(folder.parent)]
