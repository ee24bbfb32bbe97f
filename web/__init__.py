"""What people and programs see of the index; of the app `reconciler` it knows `api`, `models` and `status` alone."""
