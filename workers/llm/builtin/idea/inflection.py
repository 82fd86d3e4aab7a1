"""Singular and plural of English nouns, and names made of words."""

import re
import unicodedata
from collections.abc import Sequence

from workers.llm.builtin.wordset import wordset

IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "geese": "goose",
    "feet": "foot", "teeth": "tooth", "leaves": "leaf", "knives": "knife", "shelves": "shelf", "wives": "wife",
    "halves": "half", "wolves": "wolf", "calves": "calf", "loaves": "loaf", "thieves": "thief", "scarves": "scarf",
    "criteria": "criterion", "phenomena": "phenomenon", "analyses": "analysis", "theses": "thesis",
    "crises": "crisis", "diagnoses": "diagnosis", "matrices": "matrix", "indices": "index", "vertices": "vertex",
    "movies": "movie", "cookies": "cookie", "calories": "calorie", "ties": "tie", "pies": "pie", "lies": "lie",
    "zombies": "zombie", "selfies": "selfie", "smoothies": "smoothie", "caches": "cache", "shoes": "shoe",
    "canoes": "canoe", "buses": "bus", "statuses": "status", "bonuses": "bonus", "viruses": "virus",
    "campuses": "campus", "gases": "gas", "lenses": "lens", "atlases": "atlas", "aliases": "alias",
    "quizzes": "quiz", "oxen": "ox", "alumni": "alumnus", "cacti": "cactus", "fungi": "fungus", "lives": "life",
    "axes": "axis", "canvases": "canvas", "potatoes": "potato", "tomatoes": "tomato", "heroes": "hero",
    "echoes": "echo", "mangoes": "mango", "radii": "radius", "syllabi": "syllabus", "curricula": "curriculum",
}  # fmt: skip
PLURALS = {one: many for many, one in IRREGULAR.items()}
COMPOUNDS = ("shelves", "children", "people", "leaves", "halves", "wives", "knives")
SAME = wordset("series species sheep deer fish aircraft equipment staff furniture information stock news")
SINGULAR_S = wordset("gas lens canvas bus atlas alias bias christmas chess yes this is has was always perhaps")


def singular(word: str) -> str:
    """The singular of a noun; a singular stays as it is."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    for many in COMPOUNDS:
        if word.endswith(many):
            return word.removesuffix(many) + IRREGULAR[many]
    if word in SAME or word in SINGULAR_S or len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if re.search(r"(ss|sh|ch|x|zz)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def plural(word: str) -> str:
    """The plural of a singular noun."""
    if word in PLURALS:
        return PLURALS[word]
    for many in COMPOUNDS:
        if word.endswith(IRREGULAR[many]):
            return word.removesuffix(IRREGULAR[many]) + many
    if word in SAME:
        return word
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|sh|ch|x|z)$", word) else f"{word}s"


def is_plural(word: str) -> bool:
    """Whether the noun stands for several things; words with one form for both count as several."""
    return word in SAME or singular(word) != word


def identifier(words: Sequence[str]) -> str:
    """The words as a snake_case name of plain letters."""
    text = unicodedata.normalize("NFKD", "_".join(words)).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", text.replace("'", "")).strip("_")
    return re.sub(r"^[0-9_]+", "", name)[:40].rstrip("_")


def singular_name(words: Sequence[str]) -> str:
    """The name of a kind of record."""
    return identifier([*words[:-1], singular(words[-1])])


def plural_name(words: Sequence[str]) -> str:
    """The name of its table and path."""
    return identifier([*words[:-1], plural(singular(words[-1]))])
