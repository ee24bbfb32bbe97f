"""What people and programs see; of `reconciler` it knows `api`, `models`, `status`, `readiness` and `words` alone."""
