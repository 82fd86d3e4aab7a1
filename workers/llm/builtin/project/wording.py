"""English word forms that generated names and sentences need."""

SILENT_H = ("hour", "honour", "honor", "heir", "honest")
CONSONANT_SOUND = ("user", "unit", "univers", "use", "euro", "one", "once", "uni", "usage", "ubiquit", "utensil")


def article(word: str) -> str:
    """`a` or `an`, by how the word sounds."""
    if word.startswith(SILENT_H):
        return "an"
    return "an" if word[:1] in "aeiou" and not word.startswith(CONSONANT_SOUND) else "a"


def listed(words: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def sentence(text: str) -> str:
    """The text with a capital first letter; other capitals stay."""
    return text[:1].upper() + text[1:]
