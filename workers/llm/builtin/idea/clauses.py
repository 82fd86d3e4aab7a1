"""From the text of an idea to clauses: lines, bullets, sentences, and the tokens in them."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from workers.llm.builtin.idea.courtesy import without_courtesies
from workers.llm.builtin.idea.lexicon import HAVING, SOFTWARE, TRACKING
from workers.llm.builtin.wordset import wordset

Mark = Literal["word", ",", ":", "(", ")", "/", "end"]

TOKEN = re.compile(r"(?P<word>[€$£%@#]|\w+(?:[-'’.+]\w+)*\+*)|(?P<mark>[,:()/])|(?P<end>[;.!?\n]|[–—]|\s-\s)")
BULLET = re.compile(r"^(\s*)(?:[-*•‣◦]|\d{1,2}[.)])\s+")
ABBREVIATIONS = ((r"\be\.\s?g\.?", "eg"), (r"\bi\.\s?e\.?", "ie"), (r"\betc\.", "etc"), (r"[\"“”«»`]", " "),
                 (r"\[", "("), (r"\]", ")"), (r"\s*(?:->|=>|→)\s*", ": "))  # fmt: skip
SPELLINGS = {"e-mail": "email", "e-mails": "emails", "to-do": "todo", "to-dos": "todos", "web-site": "website"}
ANNOUNCING = TRACKING | HAVING | wordset("with of for about following these tracked things are including")
UNFINISHED = wordset("and or a an the with of to for by that which have has is are be each every its their")
WRAPPED = 50
LEADS = wordset("build make create write develop design want need like track keep implement") | TRACKING


@dataclass(frozen=True)
class Token:
    """A word or a mark of the text; `word` is in lower case and in one spelling."""

    mark: Mark
    text: str
    word: str


@dataclass(frozen=True)
class Clause:
    """Tokens up to the end of a sentence or line. `entry` is set for a bullet below a line that asks for a service."""

    tokens: tuple[Token, ...]
    entry: bool = False


def clauses(idea: str) -> list[Clause]:
    """Split an idea; punctuation inside of brackets splits nothing."""
    text = without_courtesies(unicodedata.normalize("NFKC", idea))
    for pattern, plain in ABBREVIATIONS:
        text = re.sub(pattern, plain, text)
    found: list[Clause] = []
    for line, entry in _joined(text):
        found += [Clause(part, entry and not place) for place, part in enumerate(_sentences(_tokens(line)))]
    return found


def said(tokens: tuple[Token, ...]) -> str:
    """The tokens as text again, to name a part of an idea."""
    text = " ".join(token.text for token in tokens if token.mark != "end")
    text = re.sub(r"\s+([,:)])", r"\1", re.sub(r"\s*/\s*", "/", text))
    return re.sub(r"\(\s+", "(", text).strip(" ,:")


def _joined(text: str) -> list[tuple[str, bool]]:
    """Lines, with bullets put to the line above that announces them with a colon."""
    lines = _unwrapped(text)
    found: list[tuple[str, bool]] = []
    position = 0
    while position < len(lines):
        line, depth = _unbulleted(lines[position])
        position += 1
        below = []
        while line.endswith(":") and position < len(lines) and _unbulleted(lines[position])[1] > depth:
            below.append(_unbulleted(lines[position])[0])
            position += 1
        if below and _asks(line):
            opening = re.sub(r"\s+(?:the following|these)(?: \w+)?$", "", line.rstrip(": "))
            announced = opening.split()[-1].lower() in ANNOUNCING
            found.append((f"{opening} {below[0]}" if announced else opening, False))
            found += [(entry, True) for entry in below[announced:]]
        elif below:
            found.append((f"{line} {', '.join(entry.rstrip('.,;') for entry in below)}", False))
        else:
            found.append((line, False))
    return found


def _unwrapped(text: str) -> list[str]:
    """Lines as they were before a mail program broke them; an empty line ends one for certain."""
    lines: list[str] = []
    follows = False
    for line in (line.rstrip() for line in text.split("\n")):
        if follows and line and _continues(lines[-1], line):
            lines[-1] = f"{lines[-1]} {line.strip()}"
        elif line:
            lines.append(line)
        follows = bool(line)
    return lines


def _continues(line: str, following: str) -> bool:
    """Whether the second line goes on with the sentence of the first."""
    begins = following.strip()
    if BULLET.match(following) or line[-1] in ".!?:;":
        return False
    unfinished = line.endswith(",") or line.rsplit(maxsplit=1)[-1].lower() in UNFINISHED
    return unfinished or begins.startswith("(") or (len(line) > WRAPPED and begins[0].islower())


def _unbulleted(line: str) -> tuple[str, int]:
    """The line without its bullet, and how deep it is; -1 for a line that is no bullet."""
    bullet = BULLET.match(line)
    return (line[bullet.end() :].strip(), len(bullet[1])) if bullet else (line.strip(), -1)


def _asks(line: str) -> bool:
    words = {word.lower() for word in re.findall(r"[\w-]+", line)}
    return bool(words & LEADS) or bool(words & SOFTWARE)


def _tokens(line: str) -> list[Token]:
    tokens: list[Token] = []
    for match in TOKEN.finditer(line):
        if match["word"]:
            tokens += _words(match["word"])
        elif match["mark"]:
            tokens.append(Token(match["mark"], match["mark"], match["mark"]))  # type: ignore[arg-type]
        else:
            tokens.append(Token("end", match["end"].strip(), ";"))
    return tokens


def _words(text: str) -> list[Token]:
    word = text.lower().replace("’", "'")
    if word.endswith("'s") and len(word) > 2:
        return [Token("word", text[:-2], word[:-2]), Token("word", "'s", "'s")]
    if word in ("i've", "we've", "they've"):
        return [Token("word", text[:-3], word.partition("'")[0]), Token("word", "have", "have")]
    if word in ("i'm", "we're"):
        being = "am" if word == "i'm" else "are"
        return [Token("word", text.partition("'")[0], word.partition("'")[0]), Token("word", being, being)]
    if word in ("i'd", "we'd"):
        return [Token("word", text, word.partition("'")[0])]
    return [Token("word", text, SPELLINGS.get(word, word))]


def _sentences(tokens: list[Token]) -> list[tuple[Token, ...]]:
    found: list[tuple[Token, ...]] = []
    current: list[Token] = []
    depth = 0
    for token in tokens:
        depth = max(0, depth + (token.mark == "(") - (token.mark == ")"))
        if token.mark != "end":
            current.append(token)
        elif depth:
            current.append(Token(",", ",", ","))
        elif current:
            found.append(tuple(current))
            current = []
    return [*found, tuple(current)] if current else found
