"""Example values of a field: three that are fine, in rising order, and some that are not."""

from contracts.v1.projects import FieldSpec
from workers.llm.builtin.wordset import wordset

WORDS = ("Alpha", "Bravo", "Charlie")

NEVER_NEGATIVE = wordset(
    "price cost fee fine salary wage rent budget deposit tip quantity count age year stock pages copies seats "
    "capacity servings duration minutes hours days weeks calories size distance rooms beds floors stars"
)

Sample = str | int | float | bool


def minimum(spec: FieldSpec) -> int | None:
    """0 for amounts and counts that can't be negative by their meaning."""
    words = spec.name.split("_")
    counts = spec.name.startswith("number_of_") or words[-1] in NEVER_NEGATIVE or words[0] in NEVER_NEGATIVE
    return 0 if spec.type in ("money", "integer") and counts else None


def sample(spec: FieldSpec, number: int) -> Sample:
    """The sample with this number, 1 to 3, as JSON shows it."""
    word = WORDS[number - 1]
    samples: dict[str, Sample] = {
        "text": f"{word} {spec.name.replace('_', ' ')}",
        "integer": 10 * number,
        "number": number + 0.5,
        "money": f"{10 * number}.50",
        "date": f"2024-0{number}-15",
        "time": f"{8 + number:02}:30",
        "datetime": f"2024-0{number}-15T10:30:00Z",
        "boolean": number % 2 == 1,
        "choice": spec.choices[(number - 1) % len(spec.choices)] if spec.choices else "",
        "email": f"{word.lower()}@example.org",
        "url": f"https://example.org/{word.lower()}",
    }
    return samples[spec.type]


def sortable(spec: FieldSpec) -> bool:
    """Whether the samples of the field differ and rise."""
    return spec.type not in ("boolean", "choice")


BAD: dict[str, tuple[Sample, ...]] = {
    "text": (7, True),
    "integer": ("many", 1.5, True),
    "number": ("heavy", True),
    "money": ("a lot", "12.345", True),
    "date": ("2024-02-30", "31.05.2024", 20240531),
    "time": ("25:00", "half past nine", 9),
    "datetime": ("yesterday", "2024-02-30T10:00:00Z", 0),
    "boolean": ("yes", 1),
    "choice": ("no such choice", 1),
    "email": ("not an address", "a@b", 1),
    "url": ("not a web address", "ftp://example.org", 1),
}

BAD_PARAMETER = {
    "integer": "many",
    "number": "heavy",
    "money": "cheap",
    "date": "today",
    "time": "noon",
    "datetime": "now",
    "boolean": "yes",
    "choice": "none",
    "email": "nobody",
    "url": "nowhere",
}


def bad_values(spec: FieldSpec) -> tuple[Sample, ...]:
    """Values that the field must refuse."""
    more: tuple[Sample, ...] = ()
    if spec.type == "text" and spec.required:
        more = (" ",)
    if minimum(spec) == 0:
        more = ("-1.00",) if spec.type == "money" else (-1,)
    return BAD[spec.type] + more
