"""Insert ROWS rows into a bare SQLite file, PER_COMMIT a transaction; prints one JSON line.

Usage: limit.py ROWS PER_COMMIT BYTES KEY, where KEY is `random` (each row has one, with an index) or `none`. What no
recorder on this machine can beat: one connection, WAL, synchronous=NORMAL, and a payload of BYTES a row.
"""

import json
import os
import sqlite3
import sys
import time

if __name__ == "__main__":
    rows, per_commit, size = (int(word) for word in sys.argv[1:4])
    is_keyed = sys.argv[4] == "random"
    database = sqlite3.connect("limit.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    unique = "UNIQUE" if is_keyed else ""
    database.execute(f"CREATE TABLE rows (n INTEGER PRIMARY KEY, id BLOB {unique}, payload BLOB NOT NULL)")
    data = [(os.urandom(16) if is_keyed else None, os.urandom(size)) for _ in range(rows)]
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, rows, per_commit):
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO rows (id, payload) VALUES (?, ?)", data[start : start + per_commit])
        database.execute("COMMIT")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert database.execute("SELECT COUNT(*) FROM rows").fetchone()[0] == rows
    print(json.dumps({"seconds": wall, "cpu_seconds": cpu}))
