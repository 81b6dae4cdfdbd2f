"""New identities and names. Fork-safe: a child draws its own random numbers."""

from __future__ import annotations

import itertools
import os
import random
import time

from stellwerk.model.identity import uuid7

_random = random.Random(os.urandom(16))
_count = itertools.count(_random.getrandbits(73))
_latest = 0

ADJECTIVES = (
    "amber brave brisk calm clever cosy crisp curious dapper eager early fair fleet gentle glad golden hardy humble "
    "jolly keen kind late lively lucky mellow merry mild misty modest neat nimble noble patient plucky polite proud "
    "quick quiet rapid rosy royal rustic shy silent silver sleek snug solid spry steady sunny swift tidy trusty warm "
    "wise witty young zesty"
).split()
NOUNS = (
    "badger beaver bison crane crow deer dove eagle egret falcon ferret finch fox gecko goose grouse hare hawk heron "
    "ibex jackal jay kestrel kite lark lemur lion lynx magpie marmot marten mole moose newt osprey otter owl panda "
    "perch petrel pike plover puffin quail rabbit raven robin salmon seal shrew snipe sparrow stork swan swift tern "
    "thrush toad trout vole weasel wren"
).split()


def new_id() -> bytes:
    """Make an identity that sorts after every one this process made before.

    The random part counts up from a random beginning (RFC 9562, section 6.2, method 2), and the time never goes back.
    """
    global _latest
    milliseconds = time.time_ns() // 1_000_000
    if milliseconds > _latest:
        _latest = milliseconds
    return uuid7(_latest, next(_count))


def new_name() -> str:
    """Draw a name such as `brave-otter` for a flow run."""
    return f"{_random.choice(ADJECTIVES)}-{_random.choice(NOUNS)}"


def draw() -> float:
    """Draw a number from [0, 1), for jitter."""
    return _random.random()


def _after_fork() -> None:
    global _count
    _random.seed(os.urandom(16))
    _count = itertools.count(_random.getrandbits(73))


os.register_at_fork(after_in_child=_after_fork)
