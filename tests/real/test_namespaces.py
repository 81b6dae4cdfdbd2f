"""Process numbers that mean something only inside their namespace: containers, and a /proc that hides processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from stellwerk.client.process import condition, this_process
from stellwerk.model.messages import Holder

TELL = """
import json, msgspec, os, sys
from stellwerk.client.process import condition, this_process
from stellwerk.model.messages import Holder
print(json.dumps([condition(msgspec.json.decode(sys.argv[1], type=Holder)), msgspec.to_builtins(this_process())]))
"""

HIDDEN = """
import os, subprocess, sys
from stellwerk.client.process import condition, holder_of
sleeper = subprocess.Popen(["sleep", "60"])
holder = holder_of(sleeper.pid)
assert condition(holder) == "alive"
subprocess.run(["mount", "-o", "remount,hidepid=2", "/proc"], check=True)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
assert not os.path.exists(f"/proc/{sleeper.pid}")
print(condition(holder), flush=True)
os._exit(0)
"""


def in_namespace(code: str, *arguments: str, proc: bool = True) -> str:
    """Run Python as the first process of a new namespace; skip where that may not be."""
    program = shutil.which("unshare")
    if os.geteuid() or program is None:
        pytest.skip("only root may make a PID namespace, with unshare")
    command = [program, "--pid", "--fork", "--kill-child", *(["--mount-proc"] if proc else [])]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no PID namespace can be made here")
    command += [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "'remount,hidepid=2', '/proc']' returned" in done.stderr:
        pytest.skip("/proc can't be mounted with hidepid here")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("proc", [True, False])
def test_a_process_of_another_namespace_is_elsewhere(proc: bool) -> None:
    ours = this_process()
    assert condition(ours) == "alive"
    seen, described = json.loads(in_namespace(TELL, msgspec.json.encode(ours).decode(), proc=proc))
    assert seen == "elsewhere"
    theirs = msgspec.convert(described, Holder)
    assert (theirs.host, theirs.pid) == (ours.host, 1)
    assert theirs.boot_id.partition("/")[0] == ours.boot_id.partition("/")[0]
    assert condition(theirs) == "elsewhere"
    # With another's /proc, number 1 would be told as of the machine's first process.
    assert bool(theirs.started) == proc


def test_another_boot_of_this_host_is_over() -> None:
    ours = this_process()
    earlier = ours.boot_id.replace(ours.boot_id[:8], "00000000", 1)
    assert condition(msgspec.structs.replace(ours, boot_id=earlier)) == "gone"


def test_a_later_process_with_the_same_number_is_another() -> None:
    ours = this_process()
    assert condition(msgspec.structs.replace(ours, started=ours.started - 1)) == "gone"
    child = subprocess.Popen(["true"])
    child.wait()
    assert condition(msgspec.structs.replace(ours, pid=child.pid)) == "gone"


def test_a_hidden_process_is_not_gone() -> None:
    assert in_namespace(HIDDEN).strip() == "alive"
