"""An Engine API that can be made to fail, for tests and measurements. Imports neither Django nor the app."""

from simulator.container import Container
from simulator.engine import Engine
from simulator.failures import EVENTS, EVERYTHING, INSPECTS, LISTING, Failure
from simulator.fleet import Fleet
from simulator.population import populate
from simulator.server import Server

__all__ = [
    "EVENTS",
    "EVERYTHING",
    "INSPECTS",
    "LISTING",
    "Container",
    "Engine",
    "Failure",
    "Fleet",
    "Server",
    "populate",
]
