"""The version of Souk: in pyproject.toml, in logs and in what workers tell of themselves."""

VERSION = "0.1.0"
