"""A storm of faults against the whole index, and a judge of its own: `make soak`.

Nothing here that judges imports the index: it reads the tables by SQL, and it knows what it did to every container.
"""
