"""How a host's Engine is asked; the only package that imports docker, HTTP, TLS and ssh."""

from reconciler.engine.engine import About, Engine, EventStream, Session
from reconciler.engine.tls import TlsFiles

__all__ = ["About", "Engine", "EventStream", "Session", "TlsFiles"]
