"""Whatever happens to whom in whichever order: properties of whole runs in a simulated world."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

BYTES = st.binary(max_size=400)


@settings(max_examples=600, deadline=None)
@given(BYTES, BYTES, st.integers(1, 3), st.booleans())
def test_every_history_ends_in_one_close_and_breaks_no_rule_on_the_way(world, script, schedule, replicas, own):
    world.World(script, schedule, replicas, own, racing=True).close()


@settings(max_examples=600, deadline=None)
@given(BYTES, BYTES, st.integers(2, 4), st.booleans())
def test_replicas_that_saw_different_prefixes_agree_on_the_end(world, script, schedule, replicas, own):
    alone = world.World(script, own=own).close()
    together = world.World(script, schedule, replicas, own).close()
    assert together.status == alone.status


def test_the_worlds_are_varied_enough_to_prove_something(world):
    chance, ends, said = random.Random(1), Counter(), Counter()
    for n in range(120):
        one = world.World(chance.randbytes(300), chance.randbytes(300), 1 + n % 3, n % 3 == 0, racing=n % 2 == 0)
        ends[one.close().status] += 1
        said.update(name.split(".")[0] + name.split(".")[-2][:6] for name in one.log)
    print(ends, said)
    assert min(ends[status] for status in ("completed", "failed", "cancelled")) > 5
