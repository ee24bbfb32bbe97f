"""`python -m bench`: print every measurement; exit 1 if one misses what is promised."""

import sys

from bench.world import django_in, short_directory


def main() -> int:
    """Run the measurements one after the other."""
    with short_directory() as directory, django_in(directory):
        from bench import passes  # the models can be imported only now

        print("One pass, SQLite; `beyond` is what the pass takes on top of the listing request and its decoding\n")
        kept = passes.measure(directory)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
