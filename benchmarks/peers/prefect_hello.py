"""A one-task flow on Prefect 3, as `work/hello.py` does it on Stellwerk."""

from prefect import flow, task


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
