"""A module that .gitignore keeps from the cluster."""


def absent() -> None:
    """Nothing."""
