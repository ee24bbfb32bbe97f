"""Which version of the index this is; pyproject.toml and CHANGELOG.md say the same."""

VERSION = "1.0.0"
