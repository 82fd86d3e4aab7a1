"""What came of an experiment, in words: the history and the screens say the same."""

from contracts.v1.prompts import ExperimentStarted

BY_HAND = "by_hand"


def verdict_in_words(started: ExperimentStarted, verdict: str, why: str) -> str:
    """`rolled back: it succeeds less often`, `stopped by hand`; "it" is the candidate."""
    because = because_of(started, verdict, why)
    return f"{ended_as(verdict, why)}: {because}" if because else ended_as(verdict, why)


def ended_as(verdict: str, why: str) -> str:
    """`promoted`, `rolled back`, `stopped`, `stopped by hand`."""
    return "stopped by hand" if why == BY_HAND else verdict.replace("_", " ")


def because_of(started: ExperimentStarted, verdict: str, why: str) -> str:
    """What the evidence says; nothing if somebody ended it without."""
    if verdict == "promoted":
        named = why if why != "success" else started.metric
        return {"cost": "it costs less", "latency": "it is quicker"}.get(named, "it succeeds more often")
    whys = {
        "success": "it succeeds less often",
        "cost": f"it costs over {started.dearer} % more",
        "latency": f"it takes over {started.slower} % longer",
        "split": "tasks were not split as planned, so no figure here can be trusted",
        "length": f"nothing was certain after {started.most:,} outcomes",
        BY_HAND: "",
    }
    return whys.get(why, why)
