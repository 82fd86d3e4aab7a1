"""Data blocks: the one way in which untrusted input gets into a prompt.

The value is JSON in which everything that could be taken for markup is escaped: `<`, `>` and `&` and what normalises
to them, so nothing inside of it can close the block or open another one; the marks in brackets with which chat formats
tell messages apart (those in angle brackets are gone with these); and characters that nobody sees.
"""

import json
import re
from typing import Any

from pydantic_core import to_jsonable_python

from workers.prompting.errors import WrongInputs
from workers.prompting.unseen import UNSEEN

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\x7f": "\\u007f"}
_UNSAFE = re.compile(f"[{UNSEEN}\ud800-\udfff\ufe60\ufe64\ufe65\uff06\uff1c\uff1e]")
_BRACKET_MARKS = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK|PREFIX|MIDDLE|SUFFIX|"
    "IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|gMASK|sMASK"
)
_WORD = rf"(?=/?(?:{_BRACKET_MARKS})[\]\uff3d])"
_ASCII_MARK, _MARK = re.compile(rf"\[{_WORD}"), re.compile(rf"[\[\uff3b]{_WORD}")
"""Between brackets of JSON itself there is never such a word, so these only find brackets inside of texts.

The one for ASCII is ten times as fast, because all that it finds begins with one character.
"""


def data_block(name: str, value: Any) -> str:
    """`value` as a block called `name`; pydantic models are dumped in JSON mode. Raises `WrongInputs`."""
    try:
        text = json.dumps(to_jsonable_python(value), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        why = str(error).encode("ascii", "backslashreplace").decode()
        raise WrongInputs(f"what is to be shown as {name!r} is nothing that JSON can say: {why}") from None
    for char, escaped in _ESCAPES.items():
        text = text.replace(char, escaped)
    text = (_ASCII_MARK if text.isascii() else _MARK).sub(_escaped, text)
    if not text.isascii():
        text = _UNSAFE.sub(_escaped, text)
    return f'<data name="{name}">\n{text}\n</data>'


def _escaped(found: re.Match[str]) -> str:
    """The character as JSON escapes it: one unit of UTF-16 or two."""
    return json.dumps(found[0])[1:-1] if found[0] != "[" else "\\u005b"
