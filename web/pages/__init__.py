"""The pages for people. They read; what they change, they ask `reconciler.api` for."""
