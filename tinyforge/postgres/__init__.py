"""Django's backend for PostgreSQL, with a bound for every wait."""
