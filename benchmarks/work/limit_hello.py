"""The least that a recorded script can do: start Python, make an SQLite file, commit one row."""

import sqlite3

if __name__ == "__main__":
    database = sqlite3.connect("limit.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT)")
    database.execute("INSERT INTO rows (text) VALUES ('Hello, world!')")
    print("Hello, world!")
