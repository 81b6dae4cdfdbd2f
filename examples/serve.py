"""What `make run` does: a server, the flights pipeline through it, what it found, and where to look at it.

    python examples/serve.py [--once]

The server is the one of the home (`STELLWERK_HOME`, else `~/.stellwerk`); one that runs already is used and left alone.
It is up until Ctrl-C; with --once only until the pipeline has ended.
"""

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path

STELLWERK = [sys.executable, "-m", "stellwerk"]
PIPELINE = Path(__file__).parent / "flights" / "pipeline.py"


def main() -> int:
    """Start, run, tell, wait."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="end when the pipeline has")
    options, more = parser.parse_known_args()
    is_ours = not is_running()
    if is_ours:
        # What it prints is for people who start it themselves; what goes wrong comes on stderr.
        command = [*STELLWERK, "server", "start", "--background"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            return 1
    try:
        code = subprocess.run([*STELLWERK, "run", f"{PIPELINE}:flights", *more], check=False).returncode
        print("\nThe page, by a link that works once (`stellwerk open` gives another):", flush=True)
        subprocess.run([*STELLWERK, "open", "--print"], check=True)
        if options.once or not is_ours:
            return code
        print("The server is up until Ctrl-C.", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print()
    finally:
        if is_ours:
            stop_quietly()
    return 0


def stop_quietly() -> None:
    """Stop the server; a second Ctrl-C does not leave it running."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    subprocess.run([*STELLWERK, "server", "stop"], check=False)


def is_running() -> bool:
    """Say whether the home has a server that runs."""
    told = subprocess.run([*STELLWERK, "server", "status", "--json"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and bool(json.loads(told.stdout))


if __name__ == "__main__":
    sys.exit(main())
