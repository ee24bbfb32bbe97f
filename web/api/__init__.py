"""`/api/v1`: what the index knows, as JSON. It reads; what it changes goes through `reconciler.api`."""
