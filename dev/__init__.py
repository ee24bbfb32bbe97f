"""What a developer's machine needs around the app: real services for tests, and `make up`. It is never deployed."""
