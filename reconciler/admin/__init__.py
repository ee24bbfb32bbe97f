"""The admin: containers and their history to look at, hosts and what is deployed to edit."""

from reconciler.admin import containers, deployed, hosts, transitions

__all__ = ["containers", "deployed", "hosts", "transitions"]
