"""A one-task flow, the smallest script there is."""

from stellwerk import flow, task


@task
def greet(name: str) -> str:
    """Greet."""
    return f"Hello, {name}!"


@flow
def hello(name: str = "world") -> str:
    """Call one task."""
    return greet(name)


if __name__ == "__main__":
    print(hello())
