"""Fan-outs of 10,000 tasks over 8 threads, one after another, until terminated."""

from stellwerk import ThreadPoolTaskRunner, flow, task


@task
def square(x: int) -> int:
    """Square a number."""
    return x * x


@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def fanout(count: int) -> int:
    """Square many numbers at once and add them up."""
    return sum(future.result() for future in square.map(range(count)))


if __name__ == "__main__":
    while True:
        fanout(10_000)
