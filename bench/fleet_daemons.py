"""Serves a simulated fleet on loopback: `python -m bench.fleet_daemons HOSTS CONTAINERS`.

Prints the URLs, then answers commands from its standard input until that ends: a line of JSON each way.
"""

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

from simulator import INSPECTS, Failure, Fleet, Server

Command = Callable[..., object]


def main() -> None:
    """Serve the fleet and carry out commands until the standard input ends."""
    hosts, containers = (int(argument) for argument in sys.argv[1:])
    fleet = Fleet(hosts, containers)
    # the garbage collector need not walk through a hundred thousand containers that stay
    gc.freeze()
    commands: dict[str, Command] = {
        "hang": fleet.hang,
        "heal": fleet.heal,
        "change": fleet.change,
        "happen": fleet.happen,
        "states": fleet.states,
        "fail_inspects": lambda rate: _fail_inspects(fleet, rate),
    }
    with Server() as server:
        _say([server.serve(engine) for engine in fleet.engines])
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            _say(commands[name](*arguments))


def _fail_inspects(fleet: Fleet, rate: float) -> None:
    for engine in fleet.engines:
        engine.fail(Failure.RANDOM_ERROR, INSPECTS, rate=rate)


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
