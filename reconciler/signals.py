"""Signals for the deployer and the proxy."""

from django.dispatch import Signal

containers_changed = Signal()
"""Sent after the commit of a pass that changed states or bound containers, by the process that made it.

`sender` is the model Container, `host` the host's name, `transitions` a tuple of saved Transition
objects. A receiver's error is logged and does no other harm; a slow receiver delays the host's next pass.
"""
