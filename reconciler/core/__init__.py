"""What is decided: pure, without framework, clock, chance or I/O; time and chance are arguments."""
