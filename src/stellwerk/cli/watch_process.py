"""The watcher as a program, `python -m stellwerk.cli.watch_process PID [DATABASE]`: started by the process that it watches."""

from __future__ import annotations

import sys

from stellwerk import config as settings
from stellwerk.assemble import open_engine
from stellwerk.assemble.roads import open_watcher_line
from stellwerk.execute.watcher import watch


def main() -> None:
    """Renew the leases of a process until it is gone or holds none, on the road that its runs take."""
    pid, database_id = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    config = settings.load()
    line = open_watcher_line(config, database_id)
    if line is not None:
        watch(line, pid, config.lease_seconds)
        return
    engine = open_engine(config)
    try:
        watch(engine.transport, pid, config.lease_seconds)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
