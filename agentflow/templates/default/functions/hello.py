"""What the workflows of this project call: ordinary Python."""

from agentflow.functions import function


@function
def greet(name: str) -> str:
    """Greet somebody by name."""
    return f"Hello, {name}!"
