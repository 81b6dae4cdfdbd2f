"""Settings: what can be set, where a value came from, and one frozen `Config` that holds them all.

A value is looked for in the environment (`STELLWERK_…`), then in the project's file (`stellwerk.toml`, or
`[tool.stellwerk]` of `pyproject.toml`, in the working folder or its nearest parent that has one), then in the user's
file (`config.toml` in the home that the environment names, else in `~/.stellwerk`), else it is the default. Every
value is checked on the way in, and an error says which source is to be mended.

This module is read by each start of Python that touches Stellwerk, so it imports `os` and nothing else: tomllib,
difflib and even our own errors come only when they are needed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing would cost more than all of this module
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn, TypeAlias

    Value: TypeAlias = str | int | float | bool | None

__all__ = ["DEFAULT", "PREFIX", "SETTINGS", "Config", "Setting", "load"]

PREFIX = "STELLWERK_"
DEFAULT = "default"
"""The source of a value that nobody set; other sources are an environment variable's name or a file's path."""

PROJECT_FILE = "stellwerk.toml"
USER_FILE = "config.toml"
MASK = "********"

_SIZE_UNITS = {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_ON_OFF = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}
_URL_PASSWORDS = ("password=", "sslpassword=", "passfile=")


class Setting:
    """Describe one setting.

    Args:
        name: as in a file; the environment has it in capitals after `STELLWERK_`.
        type: what kind of value it is, in a word or two.
        default: None when there is none, or when it is computed as `default_text` says.
        unit: of a number; empty for everything else.
        allowed: what values are accepted, to stand after "must be".
        description: one sentence for the reference and `config show`.
        read: turns a raw value into a checked one; raises ValueError or TypeError for what is not allowed.
        secret: may not stand in a project's file and is never shown.
        default_text: the default in words, where it is not a plain value.
    """

    __slots__ = tuple("allowed default default_text description name read secret type unit variable".split())

    def __init__(
        self,
        name: str,
        type: str,
        default: Value,
        unit: str,
        allowed: str,
        description: str,
        read: Callable[[Value], Value],
        *,
        secret: bool = False,
        default_text: str = "",
    ) -> None:
        self.name = name
        self.variable = PREFIX + name.upper()
        self.type = type
        self.default = default
        self.unit = unit
        self.allowed = allowed
        self.description = description
        self.read = read
        self.secret = secret
        self.default_text = default_text or show(default)

    def __repr__(self) -> str:
        return f"Setting({self.name!r}, {self.type!r}, default {self.default_text})"


def show(value: Value) -> str:
    """Show a value as a person would write it in the environment."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def mask_url(url: str) -> str:
    """Hide the password of a URL, wherever it stands in it.

    What cannot be told apart from a password is hidden too: the last `@` ends the credentials, because a password
    written without percent-encoding may contain any of `/ ? @`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return MASK if "@" in url or "pass" in url.lower() else url
    credentials, at, place = rest.rpartition("@")
    if at and ":" in credentials:
        rest = f"{credentials.partition(':')[0]}:{MASK}@{place}"
    head, question, query = rest.partition("?")
    parts = [_mask_pair(part) for part in query.split("&")]
    return f"{scheme}://{head}{question}{'&'.join(parts)}"


def _mask_pair(pair: str) -> str:
    for word in _URL_PASSWORDS:
        if pair.lower().startswith(word):
            return pair[: len(word)] + MASK
    return pair


def _read_text(raw: Value) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError
    return raw.strip()


def _read_flag(raw: Value) -> bool:
    return raw if isinstance(raw, bool) else _ON_OFF[str(raw).strip().lower()]


def _read_api_url(raw: Value) -> str:
    text = _read_text(raw)
    scheme, _, place = text.partition("://")
    # Credentials belong in api_token: in a URL they end up in logs and in links.
    if scheme.lower() not in ("http", "https") or not place.strip("/") or set(place) & set(" ?#@"):
        raise ValueError
    return text.rstrip("/")


def _read_database_url(raw: Value) -> str:
    text = _read_text(raw)
    scheme, separator, place = text.partition("://")
    scheme = scheme.lower()
    if scheme == "sqlite":
        # One slash ends the empty host; what follows is a path. SQLite's own forms would name a file each.
        path = place[1:]
        if not place.startswith("/") or not path or path.endswith("/") or set(path) & set("?#\0"):
            raise ValueError
        if path == ":memory:" or path.startswith("file:"):
            raise ValueError
    elif scheme not in ("postgresql", "postgres") or not separator or not place:
        raise ValueError
    return f"{scheme}://{place}"


def _read_path(raw: Value) -> str:
    text = _read_text(raw).rstrip("/")
    if text and (text[0] != "/" or not all(map(_is_plain, text[1:].split("/")))):
        raise ValueError
    return text


def _read_names(raw: Value) -> str:
    names = [name.strip().lower() for name in _read_text(raw).split(",")]
    if not all(map(_is_plain, names)):
        raise ValueError
    return ",".join(names)


def _is_plain(word: str) -> bool:
    """Say whether a word is the same in a URL, in HTML and in a proxy's rule."""
    return bool(word.strip(".")) and all(c.isascii() and (c.isalnum() or c in "-._~") for c in word)


def _choice(*names: str) -> Callable[[Value], str]:
    known = {name.lower(): name for name in names}

    def read(raw: Value) -> str:
        return known[_read_text(raw).lower()]

    return read


def _number(low: float, high: float) -> Callable[[Value], float]:
    def read(raw: Value) -> float:
        if isinstance(raw, bool) or raw is None:
            raise TypeError
        number = float(raw)
        if not low <= number <= high:  # also refuses nan
            raise ValueError
        return number

    return read


def _count(low: int, high: int) -> Callable[[Value], int]:
    def read(raw: Value) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise TypeError
        number = int(raw)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


def _size(low: int, high: int) -> Callable[[Value], int]:
    count = _count(low, high)

    def read(raw: Value) -> int:
        if isinstance(raw, str):
            text = raw.strip().upper()
            if text[-3:] in _SIZE_UNITS:
                return count(int(text[:-3]) * _SIZE_UNITS[text[-3:]])
        return count(raw)

    return read


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "home",
        "folder",
        None,
        "",
        "a path",
        "Where the database, the blobs and the local server's file live. A file inside it cannot set it.",
        _read_text,
        default_text="~/.stellwerk",
    ),
    Setting(
        "api_url",
        "URL",
        None,
        "",
        "a URL such as https://stellwerk.example.org, without credentials or query",
        "The server that runs go to; without it they go to a local server, or straight to the database.",
        _read_api_url,
    ),
    Setting(
        "api_token",
        "text",
        None,
        "",
        "a token",
        "What the server knows you by. It is sent only to a URL set in the same place or by the environment.",
        _read_text,
        secret=True,
    ),
    Setting(
        "database_url",
        "URL",
        None,
        "",
        "a URL such as sqlite:////srv/trains.db, sqlite:///trains.db (a relative path) or postgresql://user@host/trains",
        "The database, when it is not the SQLite file in the home. Its password is never shown.",
        _read_database_url,
    ),
    Setting(
        "lease_seconds",
        "number",
        30.0,
        "seconds",
        "a number from 0.2 to 86400",
        "How long a run's owner may be silent before it counts as gone.",
        _number(0.2, 86_400),
    ),
    Setting(
        "durability",
        "choice",
        "strict",
        "",
        "relaxed, strict or power",
        "Relaxed: completions are committed soon. Strict: before anything that depends on them starts. "
        "Power: strict, and safe from a power cut.",
        _choice("relaxed", "strict", "power"),
    ),
    Setting(
        "infra_retries",
        "whole number",
        3,
        "retries",
        "a whole number from 0 to 1000",
        "How often a run starts again after its infrastructure failed; its own retries are not used up.",
        _count(0, 1000),
    ),
    Setting(
        "max_workers",
        "whole number",
        None,
        "threads",
        "a whole number from 1 to 10000",
        "How many tasks a flow run runs at once in threads.",
        _count(1, 10_000),
        default_text="processors + 4, at most 32",
    ),
    Setting(
        "inline_result_bytes",
        "size",
        16 * 1024,
        "bytes",
        "bytes from 0 to 1048576; KiB and MiB may follow the number",
        "Results up to this size are kept with the run; larger ones go to the blob store.",
        _size(0, 1 << 20),
    ),
    Setting(
        "result_limit_bytes",
        "size",
        2 * 1024**3,
        "bytes",
        "bytes from 1 to 1 PiB; KiB, MiB, GiB and TiB may follow the number",
        "Results beyond this size are not recorded, with a warning; their tasks run again on resume.",
        _size(1, 1 << 50),
    ),
    Setting(
        "log_level",
        "choice",
        "INFO",
        "",
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "The lowest level of log lines that are recorded.",
        _choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    Setting(
        "log_prints",
        "on/off",
        False,
        "",
        "on or off",
        "Whether what flows and tasks print is recorded as log lines, unless they say so themselves.",
        _read_flag,
    ),
    Setting(
        "recording",
        "on/off",
        True,
        "",
        "on or off",
        "Off: flows and tasks run as ever, but nothing is stored and no retry is waited for; for unit tests.",
        _read_flag,
    ),
    Setting(
        "progress",
        "choice",
        "auto",
        "",
        "auto, on or off",
        "Whether progress is displayed; auto: on a terminal only.",
        _choice("auto", "on", "off"),
    ),
    Setting(
        "preview_bytes",
        "size",
        1024,
        "bytes",
        "bytes from 0 to 65536; KiB may follow the number",
        "The longest preview that is kept of a result.",
        _size(0, 1 << 16),
    ),
    Setting(
        "server_host",
        "address",
        "127.0.0.1",
        "",
        "an address or a name of this machine",
        "Where the server listens; anywhere but on loopback only with an api_token of 16 characters or more.",
        _read_text,
    ),
    Setting(
        "server_port",
        "whole number",
        4711,
        "",
        "a whole number from 0 to 65535",
        "The port that the server listens on; 0: any that is free.",
        _count(0, 65_535),
    ),
    Setting(
        "server_path",
        "path",
        "",
        "",
        "a path such as /stellwerk, of letters, digits and - . _ ~",
        "The path below which a proxy shows the server, when it is not the root of its host.",
        _read_path,
        default_text="the root",
    ),
    Setting(
        "server_names",
        "names",
        "",
        "",
        "host names, with commas between them",
        "Further host names by which browsers may ask for the server, such as a proxy's.",
        _read_names,
        default_text="none",
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


class Config:
    """Hold a checked value of every setting, and where each came from. Frozen; made by `load`.

    `home` is an absolute path, and so is that of an SQLite `database_url`. `repr` shows no secret, and there is no pickle
    of it: each process loads its own.
    """

    __slots__ = (*(setting.name for setting in SETTINGS), "_sources")

    home: str
    api_url: str | None
    api_token: str | None
    database_url: str | None
    lease_seconds: float
    durability: str
    infra_retries: int
    max_workers: int
    inline_result_bytes: int
    result_limit_bytes: int
    log_level: str
    log_prints: bool
    recording: bool
    progress: str
    preview_bytes: int
    server_host: str
    server_port: int
    server_path: str
    server_names: str
    _sources: dict[str, str]

    def __init__(self, values: Mapping[str, Value], sources: Mapping[str, str]) -> None:
        put = object.__setattr__
        for setting in SETTINGS:
            put(self, setting.name, values[setting.name])
        put(self, "_sources", dict(sources))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Config is frozen; set {PREFIX}{name.upper()} and load it anew.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("Config is frozen.")

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Config is not pickled: it may hold a token. Call stellwerk.config.load() over there.")

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{setting.name}={self.shown(setting.name)}' for setting in SETTINGS)})"

    def source(self, name: str) -> str:
        """Return where a value came from: `default`, an environment variable's name, or a file's path."""
        return self._sources.get(name, DEFAULT)

    def shown(self, name: str) -> str:
        """Return a value as text that may be shown to anybody: secrets and passwords are masked."""
        return _shown(_BY_NAME[name], getattr(self, name))

    def may_send_token(self) -> bool:
        """Say whether `api_token` may be sent to `api_url`.

        Only to a URL set in the token's own source or by the environment, so that a cloned project cannot name a
        server that collects tokens.
        """
        if self.api_url is None or self.api_token is None:
            return False
        return self.source("api_url") in (_BY_NAME["api_url"].variable, self.source("api_token"))


def load(environ: Mapping[str, str] = os.environ, cwd: str | os.PathLike[str] | None = None) -> Config:
    """Read all settings from the environment, the project's file, the user's file and the defaults.

    Args:
        environ: where variables are looked up; an empty value counts as not set.
        cwd: the folder from which a project's file is looked for, upwards; the working folder by default.

    Raises:
        ConfigError: a value that is not allowed, an unknown name in a file, a file that is not TOML, a token in a
            project's file, or a home set by a file inside it. Nothing was changed.

    Cost: two stat calls for each folder up to the root, one for the user's file; about 0.1 ms, and up to 20 ms more
        when there is a file to parse for the first time.
    """
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        raw = environ.get(setting.variable)
        if raw:
            values[setting.name] = _read(setting, raw, setting.variable)
            sources[setting.name] = setting.variable
    folder = _folder(cwd)
    if "database_url" in values:
        values["database_url"] = _absolute_url(str(values["database_url"]), folder, environ)
    default_home = _user_folder("~/.stellwerk", environ)
    # The user's file is the one of the user's own home: a project that moves the home must not thereby bring a token.
    user_home = _absolute(str(values["home"]), folder, environ) if "home" in values else default_home
    project = _find_project(folder) if folder else None
    if project is not None:
        _take_file(project[0], project[1], values, sources, environ, (user_home,))
    user_file = os.path.join(user_home, USER_FILE)
    if os.path.isfile(user_file):
        _take_file(user_file, _parse(user_file), values, sources, environ, None)
    home = str(values["home"]) if "home" in values else default_home
    for setting in SETTINGS:
        if setting.name not in values:
            values[setting.name] = setting.default
    values["home"] = _absolute(home, folder, environ)
    if not os.path.isabs(str(values["home"])):
        _refuse("There is no home folder to keep anything in.", f"Set {PREFIX}HOME to an absolute path.")
    if values["max_workers"] is None:
        values["max_workers"] = _default_workers()
    return Config(values, sources)


def _take_file(
    path: str,
    table: Mapping[str, Value],
    values: dict[str, Value],
    sources: dict[str, str],
    environ: Mapping[str, str],
    project_homes: tuple[str, ...] | None,
) -> None:
    """Add what a file sets and no earlier source did; check all of it. `project_homes` is None for the user's file."""
    for name, raw in table.items():
        setting = _BY_NAME.get(name)
        if setting is None:
            _refuse_unknown(name, path)
        if setting.secret and project_homes is not None:
            _refuse(
                f"{path} sets {name}, which a project's file may not do.",
                f"Put it into {setting.variable} or into {os.path.join(project_homes[0], USER_FILE)}.",
            )
        value = _read(setting, raw, path)
        if name == "home":
            value = _absolute(str(value), os.path.dirname(path), environ)
            homes = (value, *project_homes) if project_homes is not None else (os.path.dirname(path),)
            if any(_is_within(path, home) for home in homes):
                _refuse(f"{path} sets home, but lies inside a home itself.", f"Set {PREFIX}HOME in the environment.")
        if name == "database_url":
            value = _absolute_url(str(value), os.path.dirname(path), environ)
        if name not in values:
            values[name] = value
            sources[name] = path


def _find_project(folder: str) -> tuple[str, Mapping[str, Value]] | None:
    """Find the nearest file with settings from a folder upwards; return its path and its settings."""
    while True:
        path = os.path.join(folder, PROJECT_FILE)
        if os.path.isfile(path) and _is_trusted(path, folder):
            return path, _parse(path)
        path = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(path) and _is_trusted(path, folder):
            table = _pyproject_table(path)
            if table is not None:
                return path, table
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _is_trusted(path: str, folder: str) -> bool:
    """Refuse a stranger's file in a folder that anybody may write to.

    In /tmp it would else redirect the runs of all users who work below.
    """
    try:
        return not os.stat(folder).st_mode & 0o002 or os.stat(path).st_uid in (0, os.geteuid())
    except OSError:
        return False


def _pyproject_table(path: str) -> Mapping[str, Value] | None:
    # Most pyproject files say nothing about us, and the TOML parser costs more than all the rest of loading.
    for line in _bytes_of(path).splitlines():
        line = line.strip()
        if b"stellwerk" in line and line.startswith((b"[", b"tool", b"stellwerk")):
            break
    else:
        return None
    tool: object = _parse(path).get("tool")
    table: object = tool.get("stellwerk") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        _refuse(f"{path}: tool.stellwerk must be a table of settings.", "Write it as [tool.stellwerk].")
    return table


def _bytes_of(path: str) -> bytes:
    from stellwerk.errors import ConfigError

    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as exc:
        raise ConfigError(
            f"The settings file {path} cannot be read: {exc.strerror}.",
            hint="Make it readable, or remove it.",
            path=path,
        ) from exc


def _parse(path: str) -> Mapping[str, Value]:
    import tomllib

    from stellwerk.errors import ConfigError

    try:
        return tomllib.loads(_bytes_of(path).decode())
    except ValueError as exc:  # also what is not UTF-8
        raise ConfigError(
            f"The settings file {path} is not valid TOML: {exc}.", hint="Correct it there.", path=path
        ) from exc


def _read(setting: Setting, raw: Value, source: str) -> Value:
    try:
        return setting.read(raw)
    except (ValueError, TypeError, KeyError, OverflowError) as exc:
        from stellwerk.errors import ConfigError

        shown = _shown(setting, raw) if setting.secret or setting.type == "URL" else repr(raw)
        raise ConfigError(
            f"The setting {setting.name} is {shown[:200]}, from {source}, but must be {setting.allowed}.",
            hint=f"Correct it in {source}, or remove it there: the default is {setting.default_text}.",
            setting=setting.name,
            source=source,
        ) from (None if setting.secret else exc)


def _shown(setting: Setting, value: Value) -> str:
    if value is None:
        return show(value)
    if setting.secret:
        return MASK
    return mask_url(str(value)) if setting.type == "URL" else show(value)


def _refuse_unknown(name: str, path: str) -> NoReturn:
    import difflib

    plain = name.lower().replace("-", "_").removeprefix(PREFIX.lower())
    nearest = difflib.get_close_matches(plain, _BY_NAME, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]}?" if nearest else f"There are: {', '.join(sorted(_BY_NAME))}."
    _refuse(f"{path} sets {name!r}, which is not a setting.", hint)


def _refuse(message: str, hint: str) -> NoReturn:
    from stellwerk.errors import ConfigError

    raise ConfigError(message, hint=hint)


def _folder(cwd: str | os.PathLike[str] | None) -> str:
    """Return the absolute working folder, or an empty text when it has been removed under us."""
    try:
        return os.path.abspath(cwd) if cwd is not None else os.getcwd()
    except FileNotFoundError:
        return ""


def _user_folder(path: str, environ: Mapping[str, str]) -> str:
    """Expand a leading `~` by the environment that was given, else by the password database."""
    home = environ.get("HOME")
    if home and (path == "~" or path.startswith("~/")):
        return home.rstrip("/") + path[1:]
    return os.path.expanduser(path)


def _absolute(path: str, folder: str, environ: Mapping[str, str]) -> str:
    return os.path.normpath(os.path.join(folder, _user_folder(path, environ)))


def _absolute_url(url: str, folder: str, environ: Mapping[str, str]) -> str:
    """Make the path of an SQLite URL absolute, so that it names one file whoever asks, and from where."""
    path = url.removeprefix("sqlite:///")
    if path == url:
        return url
    absolute = _absolute(path, folder, environ)
    if not os.path.isabs(absolute):
        _refuse(f"There is no working folder, so {url} names no file.", "Name it by an absolute path: sqlite:////….")
    return f"sqlite:///{absolute}"


def _is_within(path: str, folder: str) -> bool:
    folder = os.path.realpath(folder)
    return os.path.realpath(path).startswith(folder.rstrip("/") + "/")


def _default_workers() -> int:
    # Containers and batch systems grant fewer processors than the machine has; macOS cannot tell.
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:
        processors = os.cpu_count() or 1
    return min(32, processors + 4)
