"""Sets of words, written as text."""


def wordset(text: str) -> frozenset[str]:
    """The words of a text as a set: `wordset("a an the")`."""
    return frozenset(text.split())
