"""The page's own files: what its build left in the package.

Theory of operation: the folder is listed once, and again when its `index.html` has changed; what is asked for is looked
up in that list, so no path of a request ever reaches the file system. Files have a hash in their name and are kept by
browsers for a year; `index.html` is asked for anew each time. It is also the answer for every place of the page that is
no file, and tells by its `<base>` where the page's root is.
"""

from __future__ import annotations

import hashlib
import html
import mimetypes
import os
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stellwerk.api.answers import is_known, problem, reading
from stellwerk.api.guard import CSP

FOLDER = Path(__file__).parents[2] / "ui_dist"
FOREVER = "public, max-age=31536000, immutable"
ANEW = "no-cache"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}
NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Stellwerk</title></head>
<body><h1>Stellwerk</h1>
<p>The server works, but its page has not been built. <code>make ui</code> builds it; then load this again.</p>
<p>The API is at <code>api/</code>, described by <code>api/openapi.json</code>.</p></body></html>
"""


class _File(msgspec.Struct, frozen=True):
    path: Path
    media_type: str
    etag: str
    encodings: dict[str, Path]


class Static:
    """Serve the page.

    Args:
        root: the path that the page's root has, without a slash at its end.
        folder: where the build left it.
    """

    def __init__(self, root: str, folder: Path = FOLDER) -> None:
        self._root = root
        self._folder = folder
        self._built_at = -1
        self._files: dict[str, _File] = {}
        self._index = b""

    async def answer(self, request: Request) -> Response:
        """Answer a request for a file or a place of the page."""
        path = request.url.path
        if path == "/api" or path.startswith(("/api/", "/graphql/")):
            return problem(404, "not_found", f"There is nothing at {path[:200]}.", "See /api/openapi.json.")
        return await reading(self._answer, request, path)

    def _answer(self, request: Request, path: str) -> Response:
        self._look()
        file = self._files.get(path)
        if file is not None:
            return self._file(request, path, file)
        if path.startswith("/assets/"):
            # A page of before an update asks for what is gone: never give it HTML for it.
            return problem(404, "not_found", "This file belongs to another version of the page.", "Load the page anew.")
        if not self._index:
            return Response(NOT_BUILT, 200, {"Cache-Control": "no-store"}, "text/html")
        etag = f'"{hashlib.blake2b(self._index, digest_size=12).hexdigest()}"'
        host = request.headers.get("host", "")
        # Browsers that are not quite new do not count WebSockets as 'self'.
        policy = CSP.replace("connect-src 'self'", f"connect-src 'self' ws://{host} wss://{host}")
        headers = {"Cache-Control": ANEW, "ETag": etag, "Content-Security-Policy": policy}
        if is_known(etag, request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        return Response(self._index, 200, headers, "text/html; charset=utf-8")

    def _file(self, request: Request, path: str, file: _File) -> Response:
        is_hashed = path.startswith("/assets/")
        headers = {"Cache-Control": FOREVER if is_hashed else ANEW, "ETag": file.etag}
        source = file.path
        if file.encodings:
            headers["Vary"] = "Accept-Encoding"
            accepted = _accepted(request.headers.get("accept-encoding", ""))
            for name, _ in ENCODINGS:
                if name in accepted and name in file.encodings:
                    source = file.encodings[name]
                    headers["Content-Encoding"] = name
                    headers["ETag"] = f'{file.etag[:-1]}-{name}"'
                    break
        if is_known(headers["ETag"], request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        try:
            data = source.read_bytes()
        except OSError:
            return problem(404, "not_found", "This file is gone: the page was built anew.", "Load the page anew.")
        return Response(data, 200, headers, file.media_type)

    def _look(self) -> None:
        """List the folder, if it is not known as it is."""
        index = self._folder / "index.html"
        try:
            built_at = index.stat().st_mtime_ns
            if built_at == self._built_at:
                return
            text = index.read_text(encoding="utf-8")
            files = dict(self._list())
        except OSError:
            self._built_at, self._files, self._index = -1, {}, b""
            return
        base = f'<base href="{html.escape(self._root)}/">'
        head, found, rest = text.partition("<head>")
        self._index = f"{head}{found}{base}{rest}".encode()
        self._files, self._built_at = files, built_at

    def _list(self) -> list[tuple[str, _File]]:
        present = {path for path in self._folder.rglob("*") if path.is_file() and not path.is_symlink()}
        listed = []
        for path in present:
            inner = path.relative_to(self._folder)
            is_variant = path.suffix in (".br", ".gz") and path.with_suffix("") in present
            if is_variant or inner.name == "index.html" or inner.parts[0].startswith("."):
                continue
            found = os.stat(path)
            variants = {name: Path(f"{path}{suffix}") for name, suffix in ENCODINGS}
            file = _File(
                path,
                _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
                {name: variant for name, variant in variants.items() if variant in present},
            )
            listed.append((f"/{inner.as_posix()}", file))
        return listed


def _accepted(header: str) -> set[str]:
    """Name the encodings that a request accepts. Source: RFC 9110, section 12.5.3."""
    accepted = set()
    for part in header.split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip().lower())
    return accepted
