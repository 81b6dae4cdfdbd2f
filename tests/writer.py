"""A process that records, for tests: `python writer.py URL BATCHES [ROOT]`.

Each batch is one task run that begins and ends, with a log line. The number of each batch is printed once it is
acknowledged, so that whoever kills this process knows what must be there.
"""

from __future__ import annotations

import os
import sys

from wire import NOW, Root, completed, new_id, open_store, send

from stellwerk.model.messages import Began, Logged


def main() -> None:
    """Record one flow run."""
    url, batches = sys.argv[1], int(sys.argv[2])
    root = Root(bytes.fromhex(sys.argv[3]) if len(sys.argv) > 3 else None)
    store = open_store(url)
    for number in range(1, batches + 1):
        run_id = new_id()
        messages = [root.task(run_id), Began(run_id, NOW + 3, 1), completed(run_id)]
        if number == 1:
            messages = [*root.begin(), *messages]
        if number == batches:
            messages.append(root.end())
        messages.append(Logged([(number, run_id, 1, NOW, 20, "writer", f"batch {number}")]))
        ack = send(store, root.batch(*messages))
        if ack.code:
            raise SystemExit(f"refused: {ack}")
        os.write(1, b"%d\n" % number)
    store.close()


if __name__ == "__main__":
    main()
