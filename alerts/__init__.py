"""Who is told: incidents, judged from what the index knows, and what is sent about them.

It knows the index by `reconciler.api`, `reconciler.models` and `reconciler.status` alone, and asks no daemon anything.
"""
