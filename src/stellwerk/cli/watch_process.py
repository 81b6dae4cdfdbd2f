"""The watcher as a program, `python -m stellwerk.cli.watch_process PID`: started by the process that it watches."""

from __future__ import annotations

import sys

from stellwerk.assemble import open_engine
from stellwerk.execute.watcher import watch


def main() -> None:
    """Renew the leases of a process until it is gone or holds none."""
    pid = int(sys.argv[1])
    engine = open_engine()
    try:
        watch(engine.transport, pid, engine.config.lease_seconds)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
