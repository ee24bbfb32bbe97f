"""The watcher: follows the event streams of hosts, and asks for a pass when something happens."""
