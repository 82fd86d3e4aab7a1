"""What people write around an idea: greetings, thanks and signatures. They ask for nothing."""

import re

_GREETING = re.compile(
    r"\A\s*(?i:hello|hi|hey|dear|good (?:morning|afternoon|evening|day))\b"
    r"(?:[ ]+(?:there|all|team|everyone|or|sir|madam|[A-Z]\w+)){0,3}\s*[,!.]\s*"
)
_SIGNED = re.compile(
    r"(?:^|(?<=[.!?;\n]))[ \t]*(?i:many thanks|thanks(?: a lot| so much| in advance)?|"
    r"thank you(?: very much| so much)?|(?:kind|best|warm) regards|regards|"
    r"best wishes|all the best|yours sincerely|sincerely|cheers)"
    r"[ \t]*[,.!]*\s*(?:[A-Z][\w-]*\.?(?:[ ][A-Z][\w-]*\.?){0,2})?\s*\Z",
    re.MULTILINE,
)
_SAID = re.compile(r",?[ ]*\b(?:pls|plz|thx)\b", re.IGNORECASE)
_OPENINGS = str.maketrans("", "", "☺😀🙂")


def without_courtesies(text: str) -> str:
    """The text from its first word that asks for something to its last."""
    plain = _SAID.sub("", _GREETING.sub("", text.translate(_OPENINGS)))
    return _SIGNED.sub("", plain[:1].upper() + plain[1:] if plain != text else plain)
