"""A ballot as it is typed, made into the fact that opens it, or refused with a sentence on what is wrong. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from pydantic import ValidationError

from contracts.subjects import is_token
from contracts.v1.ballots import BallotOpened, NoQuorum, Option, TieBreak
from contracts.v1.budgets import Budget
from workers.cli.complaints import Misused
from workers.cli.durations import seconds_typed
from workers.cli.figures import count, short
from workers.cli.panels import Voting, names_typed
from workers.consensus.objections import objections
from workers.consensus.rules import RULES, votes_to_lead

DEADLINE_S = 900
TYPED_AS = {
    "deadline_s": "--deadline", "extension_s": "--extension", "electorate": "--voters", "voter": "--as",
    "choice": "--choice", "approved": "--approve", "ranking": "--rank", "scores": "--score",
}  # fmt: skip
"""The option that states a field, where it is not the field's own name."""

NO_QUORUM: tuple[str, ...] = get_args(NoQuorum)
TIES: tuple[str, ...] = get_args(TieBreak)


@dataclass(frozen=True)
class Asked:
    """What was typed. `texts` are the options' texts, `context` is the text itself; files have been read."""

    name: str
    question: str
    options: str
    voting: Voting
    rule: str = "majority"
    quorum: int | None = None
    deadline: str = ""
    status_quo: str = ""
    tie: str = ""
    no_quorum: str = ""
    extension: str = ""
    default: str = ""
    threshold: str = ""
    vetoers: str = ""
    ahead_by: int | None = None
    error_rate: float | None = None
    accuracy: float | None = None
    score_max: int | None = None
    wave: int | None = None
    distinct_families: bool = False
    signed: bool = False
    keys: str = ""
    context: str = ""
    texts: Mapping[str, str] | None = None
    weights: Mapping[str, int] | None = None
    budget: Budget | None = None


def ballot_typed(asked: Asked, tenant: str, run: str) -> BallotOpened:
    """The ballot that these words ask for; complains of the first thing that is wrong with them."""
    _check_name(asked)
    _check_rule(asked)
    electorate, options = asked.voting.electorate, _options(asked)
    given = {
        "quorum": asked.quorum if asked.quorum is not None else len(electorate) // 2 + 1,
        "deadline_s": seconds_typed("--deadline", asked.deadline) or DEADLINE_S,
        "status_quo": _option("--status-quo", asked.status_quo, options),
        "tie_order": _ties(asked),
        "vetoers": _among("--vetoers", asked.vetoers, electorate),
        "keys": _keys(asked),
        **_no_quorum(asked, options),
        **_of_rule(asked),
    }
    try:
        ballot = BallotOpened.model_validate({
            "tenant": tenant, "run": run, "ballot": asked.name, "question": asked.question, "options": options,
            "electorate": electorate, "rule": asked.rule, "context": asked.context, "panel": asked.voting.panel,
            "weights": dict(asked.weights or {}), "distinct_families": asked.distinct_families,
            "signed": asked.signed, "budget": asked.budget, "opened_by": "flotilla",
            **({} if asked.wave is None else {"wave": asked.wave}), **given,
        })  # fmt: skip
    except ValidationError as error:
        raise Misused(in_a_sentence(error)) from None
    if wrong := objections(ballot):
        raise Misused("; ".join(wrong))
    return ballot


def in_a_sentence(error: ValidationError) -> str:
    """The first fault of a message's fields."""
    wrong = error.errors(include_url=False, include_input=False)[0]
    field = str(wrong["loc"][0]) if wrong["loc"] else ""
    where = TYPED_AS.get(field, "--" + field.replace("_", "-")) if field else ""
    said = _bound(wrong["type"], wrong.get("ctx", {})) or wrong["msg"].removeprefix("Value error, ")
    return short(f"{where}: {said}" if where else said, 300)


def _bound(kind: str, bounds: Mapping[str, object]) -> str:
    """What a field may be, in words; empty for a fault that says it itself."""
    match kind:
        case "greater_than_equal":
            return f"give at least {bounds['ge']}"
        case "less_than_equal":
            return f"give at most {bounds['le']}"
        case "too_long":
            return f"give at most {bounds['max_length']}, and not {bounds['actual_length']}"
        case "string_too_long":
            return f"it is too long; give at most {bounds['max_length']:,} characters"
        case "int_parsing" | "int_from_float":
            return "give a whole number"
        case _:
            return ""


def _check_name(asked: Asked) -> None:
    if not is_token(asked.name):
        raise Misused(f"{short(asked.name)!r} is no name of a ballot: use 1 to 40 characters of A-Z a-z 0-9 _ -")
    if not asked.question.strip():
        raise Misused("--question: ask something")


def _check_rule(asked: Asked) -> None:
    """The rule is there, and nothing is said that belongs to another one."""
    if asked.rule not in RULES:
        raise Misused(f"there is no rule {short(asked.rule)!r}; there are {', '.join(RULES)}")
    belongs = {
        "--threshold": ("supermajority", asked.threshold),
        "--vetoers": ("veto", asked.vetoers),
        "--ahead-by": ("ahead", asked.ahead_by),
        "--error-rate": ("ahead", asked.error_rate),
        "--accuracy": ("ahead", asked.accuracy),
        "--score-max": ("score", asked.score_max),
    }
    if asked.rule == "veto" and not asked.status_quo:
        raise Misused("--rule veto needs --status-quo OPTION: a veto is a vote for that option")
    for option, (rule, typed) in belongs.items():
        if typed not in ("", None) and asked.rule != rule:
            raise Misused(f"{option} belongs to --rule {rule}, and the rule is {asked.rule}")


def _options(asked: Asked) -> tuple[Option, ...]:
    names, texts = names_typed(asked.options), asked.texts or {}
    if len(names) < 2:
        raise Misused(f"a ballot needs at least 2 options, and {count(len(names), 'is', 'are')} named; --options a,b,c")
    if wrong := next((name for name in names if not is_token(name)), None):
        raise Misused(f"{short(wrong)!r} is no name of an option: use 1 to 64 characters of A-Z a-z 0-9 _ -")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Misused(f"option {twice} is named twice; options must differ")
    if stray := next((name for name in texts if name not in names), None):
        raise Misused(f"--option {short(stray)}: it is none of the options {', '.join(names)}")
    try:
        return tuple(Option(option=name, text=texts.get(name, "")) for name in names)
    except ValidationError as error:
        raise Misused(f"--option: the text of an option: {error.errors()[0]['msg']}") from None


def _option(said: str, name: str, options: tuple[Option, ...]) -> str | None:
    names = [option.option for option in options]
    if name and name not in names:
        raise Misused(f"{said} {short(name)}: it is none of the options {', '.join(names)}")
    return name or None


def _among(said: str, text: str, electorate: tuple[str, ...]) -> tuple[str, ...]:
    names = names_typed(text)
    if stray := next((name for name in names if name not in electorate), None):
        raise Misused(f"{said}: {short(stray)} is none of the voters {', '.join(electorate)}")
    return names


def _ties(asked: Asked) -> tuple[str, ...]:
    order = names_typed(asked.tie)
    if wrong := next((one for one in order if one not in TIES), None):
        raise Misused(f"--tie {short(wrong)}: there are {', '.join(TIES)}")
    if "status_quo" in order and not asked.status_quo:
        raise Misused("--tie status_quo needs --status-quo OPTION to say which option that is")
    return order


def _no_quorum(asked: Asked, options: tuple[Option, ...]) -> dict[str, object]:
    """What happens without a quorum or a winner; what `--default` and `--extension` ask for need not be said twice."""
    meant = asked.no_quorum or ("default" if asked.default else "extend" if asked.extension else "undecided")
    if meant not in NO_QUORUM:
        raise Misused(f"--no-quorum {short(meant)}: there are {', '.join(NO_QUORUM)}")
    default, extension = _option("--default", asked.default, options), seconds_typed("--extension", asked.extension)
    if (default is not None) != (meant == "default"):
        raise Misused("--no-quorum default and --default OPTION go together")
    if (extension is not None) != (meant == "extend"):
        raise Misused("--no-quorum extend and --extension TIME go together")
    return {"no_quorum": meant, "default_option": default, "extension_s": extension}


def _of_rule(asked: Asked) -> dict[str, object]:
    given: dict[str, object] = {}
    if asked.threshold:
        given["threshold"] = _threshold(asked.threshold)
    if asked.score_max is not None:
        given["score_max"] = asked.score_max
    if (lead := _lead(asked)) is not None:
        given["ahead_by"] = lead
    return given


def _threshold(text: str) -> tuple[int, int]:
    """A share as `2/3`, `0.6` or `60%`."""
    try:
        share = Fraction(text[:-1].strip()) / 100 if text.endswith("%") else Fraction(text.replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1 or share.denominator > 1_000:
        raise Misused(f"--threshold {short(text)!r}: give a share above 0 and up to 1, such as 2/3 or 60%")
    return share.numerator, share.denominator


def _lead(asked: Asked) -> int | None:
    """The lead that is wanted, as it was said or from a wanted error rate."""
    if asked.error_rate is None and asked.accuracy is None:
        return asked.ahead_by
    if asked.ahead_by is not None:
        raise Misused("say --ahead-by, or --error-rate with --accuracy, and not both")
    if asked.error_rate is None or asked.accuracy is None:
        raise Misused("--error-rate and --accuracy go together: the lead is computed from both")
    if not (math.isfinite(asked.error_rate) and math.isfinite(asked.accuracy)):
        raise Misused("--error-rate and --accuracy are shares, such as 0.01 and 0.8")
    try:
        return votes_to_lead(asked.error_rate, asked.accuracy)
    except ValueError as error:
        raise Misused(f"--error-rate {asked.error_rate:g}, --accuracy {asked.accuracy:g}: {error}") from None


def _keys(asked: Asked) -> dict[str, str]:
    keys = pairs_typed("--keys", names_typed(asked.keys))
    if keys and not asked.signed:
        raise Misused("--keys belong to --signed: only signed ballots look at them")
    _among("--keys", ",".join(keys), asked.voting.electorate)
    if asked.signed and (without := [voter for voter in asked.voting.electorate if voter not in keys]):
        raise Misused(
            f"--signed needs the public nkey of each voter: --keys {without[0]}=U…,… "
            f"lacks {short(', '.join(without), 200)}"
        )
    return keys


def pairs_typed(said: str, parts: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` for different names."""
    pairs: dict[str, str] = {}
    for name, value in (pair_typed(said, part) for part in parts):
        if name in pairs:
            raise Misused(f"{said} names {short(name)} twice; say it once")
        pairs[name] = value
    return pairs


def pair_typed(said: str, part: str) -> tuple[str, str]:
    """`NAME=VALUE` taken apart."""
    name, equals, value = (piece.strip() for piece in part.partition("="))
    if not (name and equals and value):
        raise Misused(f"{said} {short(part)!r}: write it as NAME=VALUE")
    return name, value
