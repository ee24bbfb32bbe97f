"""Serves one simulated engine until told to end: `python -m simulator --socket PATH --sample`."""

import argparse
import signal
import threading
from pathlib import Path

from simulator.engine import Engine
from simulator.population import add_sample, populate
from simulator.server import Server

RESTART_SECONDS = 20.0


def main() -> None:
    """Serve until SIGTERM or SIGINT; the sample restarts one of its containers now and then."""
    options = parse_options()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    engine = Engine()
    populate(engine, options.containers)
    restless = add_sample(engine) if options.sample else None
    with Server() as server:
        url = server.serve(engine, socket=options.socket, port=options.port or 0)
        print(f"simulated engine with {len(engine.containers)} containers ready at {url}", flush=True)
        if options.ready_file:
            options.ready_file.write_text(f"{url}\n")
        while not ended.wait(RESTART_SECONDS):
            if restless:
                engine.restart(restless)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="simulator", description="A simulated container engine, on loopback only.")
    address = parser.add_mutually_exclusive_group(required=True)
    address.add_argument("--socket", type=Path, help="listen on this unix socket")
    address.add_argument("--port", type=int, help="listen on this port of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--containers", type=int, default=0, metavar="N", help="begin with N managed containers")
    parser.add_argument("--sample", action="store_true", help="begin with a few named ones, one of them restless")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="write the URL here when ready")
    return parser.parse_args()


if __name__ == "__main__":
    main()
