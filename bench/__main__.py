"""`python -m bench`: print every measurement; exit with 1 if one does not keep what is promised."""

import os
import subprocess
import sys

from dev.guard import Guard

MEASUREMENTS = (
    (
        "one pass, beside its listing alone and beside a straightforward Django task",
        "passes",
        "sqlite",
    ),
    ("10,000 containers, 100 of them changed, with inspects that fail at random", "inspects", "postgres"),
    ("a fleet: rounds over 10, 200 and 1,000 hosts, with 1 in 100 hanging", "fleet", "postgres"),
    ("rounds over 1,000 hosts, beside those of an older commit", "fleet_before", "postgres"),
    ("from an event to its row during rounds over 1,000 hosts, beside a quiet fleet", "fleet_events", "postgres"),
    ("rounds over 10,000 hosts with passes of no cost", "fleet_tenfold", "postgres"),
    ("what a pass pays for a feed in the order of commits", "feed", "postgres"),
    ("uptime of 10,000 rows over 30 days", "uptime", "postgres"),
    ("the API over 10,000 rows, beside the admin's list", "api", "sqlite"),
    ("the same", "api", "postgres"),
    (
        "the pages over 10,000 rows on 100 hosts with 1,000,000 transitions, beside the admin's list",
        "pages",
        "postgres",
    ),
    (
        "the admin, searches and status over 100,000 rows on 1,000 hosts with 1,000,000 transitions",
        "many_rows",
        "postgres",
    ),
    ("200 open pages, while 10 changes a second happen over 10,000 rows", "open_pages", "postgres"),
    ("the next page, beside slow clients, logins and those who follow the feed", "web", "postgres"),
    ("from a daemon's event to the committed row, beside ticks alone", "freshness", "sqlite"),
    ("the same", "freshness", "postgres"),
    ("alerts of a month, judged by an oracle, beside two simple alerters", "alerts", "sqlite"),
    ("from a death on an Engine to the line of the stream that tells it, beside ticks alone", "stream", "sqlite"),
    ("the same", "stream", "postgres"),
    ("from a death on an Engine to the screen, over the stream and by asking alone", "screen", "postgres"),
)


def main() -> int:
    """Run the measurements one after the other, each in a process of its own."""
    Guard("bench")
    missed = []
    for what, module, database in MEASUREMENTS:
        print(f"\n== {what} ({database})\n", flush=True)
        environment = {**os.environ, "BENCH_DATABASE": database}
        if subprocess.run([sys.executable, "-m", f"bench.{module}"], env=environment, check=False).returncode:
            missed.append(f"{module} on {database}")
    if missed:
        print(f"\nmissed what is promised: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
