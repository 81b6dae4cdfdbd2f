"""A home on a network file system, where SQLite's write-ahead log is unsafe, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stellwerk import assemble
from stellwerk.assemble import open_engine
from stellwerk.errors import ConfigError
from stellwerk.store.sqlite import network_file_system


def test_the_innermost_mount_counts(tmp_path: Path) -> None:
    (tmp_path / "local disk").mkdir()
    (tmp_path / "far").mkdir()
    spelled = str(tmp_path / "local disk").replace(" ", "\\040")
    table = tmp_path / "mounts"
    table.write_text(
        f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n"
        f"/dev/vdb {spelled} xfs rw 0 0\nme@host:/ {tmp_path}/farther fuse.sshfs rw 0 0\n"
    )
    assert network_file_system(tmp_path, table) == "nfs4"
    assert network_file_system(tmp_path / "far", table) == "nfs4"
    assert network_file_system(tmp_path / "farther", table) == "fuse.sshfs"
    assert network_file_system(tmp_path / "local disk", table) == ""
    assert network_file_system(Path("/"), table) == ""
    assert network_file_system(tmp_path, tmp_path / "no table") == ""


def test_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(assemble, "network_file_system", lambda _: "nfs4")
    with pytest.raises(ConfigError, match="network file system \\(nfs4\\)") as refused:
        open_engine()
    assert "STELLWERK_HOME" in refused.value.hint
    assert "STELLWERK_DATABASE_URL" in refused.value.hint
    assert not (home / "stellwerk.db").exists()
