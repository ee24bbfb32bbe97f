"""Measurements side by side, run by `make bench`. What counts are ratios within one run, not single times."""
