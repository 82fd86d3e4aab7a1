"""Characters that people do not see as they are: what hides in a template, and what must not get into a prompt raw."""

import re
import unicodedata

UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; tab and line feed are seen
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\ufeff"  # without a width, or they only set a direction
    "\u2028\u2029"  # separators of lines and paragraphs, which most editors do not show as such
    "\u202a-\u202e\u2066-\u206f"  # they turn the order of what is shown around
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # annotations and tags: whole sentences that nobody sees
)
"""For a class of a regular expression. Joiners (U+200C, U+200D) are not in it: scripts and emoji need them."""

_UNSEEN = re.compile(f"[{UNSEEN}]")
_LIKE_ASCII = str.maketrans(
    "аеорсухѕіјԁһкмтνυτορεαικⲟꜱʏᴛᴇᴍᴜʀᴅᴏᴘʟᴠᴀɴıɑ♯⌗⋕",
    "aeopcyxsijdhkmtvutopeaikosytemurdoplvania###",
)
"""Letters of other scripts that look like those of the headings."""


def first_unseen(line: str) -> tuple[int, str] | None:
    """Where the line has its first such character (from 1), and the character's name."""
    found = _UNSEEN.search(line)
    if found is None:
        return None
    name = unicodedata.name(found[0], "a control character")
    return found.start() + 1, f"U+{ord(found[0]):04X} ({name})"


def looks_like(line: str) -> str:
    """The line as the eye takes it: without marks and joiners, in lower case and in ASCII as far as that goes."""
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", line))
    seen = "".join(char for char in plain if unicodedata.category(char) not in ("Mn", "Cf", "Cc"))
    return seen.casefold().translate(_LIKE_ASCII)
