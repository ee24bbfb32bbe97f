"""What people and programs see; of `reconciler` it knows `api`, `models`, `status` and `readiness` alone."""
