"""Blobs in a folder, under their content hash: BLAKE2b with 256 bits (RFC 7693)."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

from stellwerk.errors import ResultError, UnavailableError


class FolderBlobs:
    """Keep blobs as files named by their hash, two levels deep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / name[2:]

    def put(self, digest: bytes, data: bytes) -> None:
        """Write bytes under their hash, atomically; if they are there already, refresh their age.

        Raises:
            UnavailableError: the disk is full or the folder cannot be written; nothing is left half-written.

        Idempotent: by digest.
        """
        path = self._path(digest)
        try:
            os.utime(path)
            return
        except OSError:
            pass
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
            os.replace(part, path)
        except OSError as problem:
            part.unlink(missing_ok=True)
            if problem.errno == errno.ENOSPC:
                raise UnavailableError(
                    f"The disk under {self._folder} is full: a result of {len(data):,} bytes can't be stored.",
                    hint="Free some space, or set STELLWERK_HOME to a folder on another disk.",
                ) from problem
            raise UnavailableError(
                f"A result can't be stored in {self._folder}: {problem.strerror}.",
                hint="Check that the folder is writable, then run again.",
            ) from problem

    def get(self, digest: bytes) -> bytes:
        """Read bytes by their hash and check them.

        Raises:
            ResultError: they are missing, or no longer match their hash.
        """
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except OSError as problem:
            raise ResultError(
                f"The result {digest.hex()[:16]}… is missing from the blob store.",
                hint="Run the task again to record it anew.",
            ) from problem
        if hashlib.blake2b(data, digest_size=32).digest() != digest:
            raise ResultError(
                f"The result {digest.hex()[:16]}… no longer matches its hash: the file {path} was changed.",
                hint="Delete the file and run the task again.",
            )
        return data
