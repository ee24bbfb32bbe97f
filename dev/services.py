"""The real services that tests, benchmarks and `make up` run against, in one place to import from."""

from dev.engine import DockerEngine
from dev.packages import install_docker, install_sshd
from dev.ports import free_port
from dev.postgres import Postgres
from dev.process import ServiceError
from dev.sshd import Sshd
from dev.valkey import Valkey

__all__ = ["DockerEngine", "Postgres", "ServiceError", "Sshd", "Valkey", "free_port", "install_docker", "install_sshd"]
