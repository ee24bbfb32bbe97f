"""The admin: containers and their history can be looked at; hosts and what is deployed can be edited."""

from reconciler.admin import containers, deployed, deployments, hosts, outages, transitions

__all__ = ["containers", "deployed", "deployments", "hosts", "outages", "transitions"]
