"""What decides about incidents. Pure: imports no framework, does no I/O, reads no clock, throws no dice."""
