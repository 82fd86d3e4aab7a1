"""What tests of prompts share: inputs that fit the contracts of a prompt, with one text wherever a text may be."""

import pytest

from contracts.v1.projects import Design, Finding, Module, Requirements


def fitting_one(kind, text):
    """A value of that kind, as workers give it."""
    prose = text[:19_000]
    module = {"name": "shelf", "purpose": prose, "files": ["src/books/shelf.py"], "interface": prose}
    file = {"path": "src/a.py", "content": text}
    made = {
        "number": lambda: 7,
        "Requirements": lambda: Requirements(
            title="Books", package="books", summary=prose, criteria=[{"id": "AC-1", "statement": prose}]
        ),
        "Module": lambda: Module(**module),
        "Design": lambda: Design(summary=prose, package="books", modules=[module], start=(text,)),
        # Without how long it took, as models are shown it.
        "Evidence": lambda: {"passed": False, "tests": 1, "output": prose, "level": "-", "files_digest": "0" * 64},
        "Finding": lambda: Finding(severity="note", message=prose),
        "File": lambda: file,
        "Option": lambda: {"option": "a", "text": prose, "files": [file]},
        "RoleBrief": lambda: {"name": "architect", "purpose": prose},
    }
    return made.get(kind, lambda: text)()


@pytest.fixture
def fitting():
    """Inputs of a prompt that fit it: `fitting(prompt, text)`."""

    def inputs(prompt, text):
        made = {}
        for name, contract in prompt.source.head.inputs.items():
            value = fitting_one(contract.kind, text)
            made[name] = [value] if contract.many else value
        return made

    return inputs
