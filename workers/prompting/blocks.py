"""Data blocks: the one way in which untrusted input gets into a prompt.

The value is JSON in which `<`, `>` and `&` are escaped, so nothing inside of it can close the block,
open another one or look like markup.
"""

import json
from typing import Any

from pydantic_core import to_jsonable_python

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def data_block(name: str, value: Any) -> str:
    """`value` as a block called `name`; pydantic models are dumped in JSON mode."""
    text = json.dumps(to_jsonable_python(value), ensure_ascii=False, allow_nan=False)
    return f'<data name="{name}">\n{text.translate(_ESCAPES)}\n</data>'
