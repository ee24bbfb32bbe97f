"""What a developer's machine needs around the app: real services to test against, and `make up`. Never deployed."""
