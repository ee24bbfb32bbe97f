"""Which version of the index this is."""

from importlib import metadata


def version() -> str:
    """Return the version, as far as the package that holds it is installed."""
    try:
        return metadata.version("tinyforge-container-index")
    except metadata.PackageNotFoundError:
        return "unknown"
