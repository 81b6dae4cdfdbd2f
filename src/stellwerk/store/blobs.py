"""Blobs in a folder, under their content hash: BLAKE2b with 256 bits (RFC 7693)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from pathlib import Path

from stellwerk.errors import ResultError, UnavailableError


class FolderBlobs:
    """Keep blobs as files named by their hash, two levels deep.

    Args:
        folder: where; it is made when first needed.
        durability: with `power` a blob is synced to the disk, with its place in the folder, before `put` returns.
    """

    def __init__(self, folder: Path, durability: str = "strict") -> None:
        self._folder = folder
        self._is_synced = durability == "power"

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name[2:]

    def put(self, digest: bytes, data: bytes) -> None:
        """Write bytes under their hash, atomically; if they are there already, refresh their age.

        A file of another size is not taken for them: it is what a power cut left of one, and is written anew.

        Raises:
            UnavailableError: the disk is full or the folder cannot be written; nothing is left half-written.

        Idempotent: by digest.
        """
        path = self._path(digest)
        if self._refresh(path, len(data)):
            return
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
                if self._is_synced:
                    file.flush()
                    os.fsync(descriptor)
            os.replace(part, path)
            if self._is_synced:
                self._sync_place(path)
        except OSError as problem:
            with contextlib.suppress(OSError):
                part.unlink()
            if problem.errno == errno.ENOSPC:
                raise UnavailableError(
                    f"The disk under {self._folder} is full: a result of {len(data):,} bytes can't be stored.",
                    hint="Free some space, or set STELLWERK_HOME to a folder on another disk.",
                ) from problem
            raise UnavailableError(
                f"A result can't be stored in {self._folder}: {problem.strerror}.",
                hint="Check that the folder is writable, then run again.",
            ) from problem

    def _refresh(self, path: Path, size: int) -> bool:
        try:
            if os.stat(path).st_size != size:
                return False
            os.utime(path)
            if self._is_synced:  # it may have been put by somebody who does not sync
                _sync(path)
                self._sync_place(path)
        except OSError:
            return False
        return True

    def _sync_place(self, path: Path) -> None:
        for folder in (path.parent, self._folder, self._folder.parent):
            _sync(folder)

    def get(self, digest: bytes) -> bytes:
        """Read bytes by their hash and check them.

        Raises:
            ResultError: they are missing, or no longer match their hash; then the file was moved aside, so that they
                can be put again.
        """
        path = self._path(digest)
        try:
            with open(path, "rb") as file:
                found = os.fstat(file.fileno())
                data = file.read()
        except OSError as problem:
            raise ResultError(
                f"The result {digest.hex()[:16]}… is missing from the blob store.",
                hint="Run the task again to record it anew.",
            ) from problem
        if hashlib.blake2b(data, digest_size=32).digest() != digest:
            aside = _move_aside(path, found)
            raise ResultError(
                f"The result {digest.hex()[:16]}… no longer matches its hash: the file {path} was changed.",
                hint=f"Run the task again to record it anew; the damaged file is {aside} now."
                if aside
                else "Delete the file and run the task again.",
            )
        return data


def _move_aside(path: Path, found: os.stat_result) -> Path | None:
    aside = path.with_name(f"{path.name}.corrupt")
    try:
        if not os.path.samestat(os.stat(path), found):
            return None  # somebody has put it again meanwhile
        os.replace(path, aside)
    except OSError:
        return None
    return aside


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
