"""The command line as a module: `python -m stellwerk` is `stellwerk`."""

from __future__ import annotations

from stellwerk.cli.main import main

if __name__ == "__main__":
    main()
