"""What prompts say about the sandbox is what it offers."""

from workers.runtime.sandbox_facts import sandbox_facts
from workers.sandbox.libraries import LIBRARIES, libraries


def test_prompts_name_the_libraries_of_the_sandbox_with_their_versions():
    there = libraries()
    facts = sandbox_facts()
    assert facts["libraries"] == [f"{name} {there[name]}" for name in LIBRARIES]
    assert there["python"].startswith(f"{facts['python']}.")
