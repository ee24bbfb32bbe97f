"""Side-by-side measurements; run by `make bench`. Ratios within one run count, single times do not."""
