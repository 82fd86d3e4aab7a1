"""The data blocks of a prompt: JSON values that roles put into user messages under a name."""

import json
import re
from collections.abc import Sequence
from typing import Any

from workers.llm.model import PromptMessage

# `<` and `>` are escaped inside of a block, so that its content can't close it.
BLOCK = re.compile(r'^<data name="([a-z_]+)">\n([^<>]*)\n</data>$', re.MULTILINE)


class UnreadablePrompt(Exception):
    """The prompt lacks a block that the job needs, or a block is not JSON."""


def blocks(messages: Sequence[PromptMessage]) -> dict[str, Any]:
    """All blocks by name, from user messages only. The first one of a name counts: later text can't replace it."""
    found: dict[str, Any] = {}
    for message in messages:
        if message.role != "user":
            continue
        for name, text in BLOCK.findall(message.text):
            if name in found:
                continue
            try:
                found[name] = json.loads(text)
            except ValueError as error:
                raise UnreadablePrompt(f"The data block {name!r} is not JSON: {error}.") from None
    return found
