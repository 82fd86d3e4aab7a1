"""Decisions about templates: what they come out as, what they refuse, and that races end in one state."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.prompt_facts import encode_prompt, subject_of_prompt
from contracts.v1.prompts import ExperimentEnded, VersionPushed
from workers.prompting.errors import PromptConflict
from workers.prompting.history import Histories, Kept
from workers.prompting.moves import move, push, ramp, resolve, roll_back, start, stop

A, B, C, FILE = "aaaa1111aaaa", "bbbb1111bbbb", "bbbb2222cccc", "ffff1111ffff"


class Stream:
    """Facts by name, each name once, and who reads them."""

    def __init__(self, *facts):
        self.kept = []
        for fact in facts:
            self.say(fact)

    def say(self, fact):
        name = subject_of_prompt(fact)
        if any(subject_of_prompt(one.fact) == name for one in self.kept):
            return False
        self.kept.append(Kept(len(self.kept) + 1, 1.0, fact))
        return True

    def history(self, upto=None):
        return Histories(self.kept[:upto]).of("architect", "design")


def stream(*digests, live=None):
    made = Stream(*(pushed(digest) for digest in digests or (A, B, C)))
    if live:
        made.say(to(made, "live", live))
    return made


def pushed(digest):
    return VersionPushed(role="architect", name="design", digest=digest, content="text")


def to(made, label, digest):
    return move(made.history(), label, digest, "ann", "", FILE)


def begin(history, candidate=B, live=A, share=500_000, **more):
    settings = {"metric": "valid", "within_s": 60, "dearer": 25, "slower": None, "most": 100, "by": "ann"} | more
    return start(history, candidate, live, share, **settings)


def running(**more):
    made = stream(live=A)
    made.say(begin(made.history(), **more))
    return made


def refused(act, *args, **more):
    with pytest.raises(PromptConflict) as caught:
        act(*args, **more)
    return str(caught.value)


def test_a_version_is_pushed_once():
    made = Stream()
    fact = push(made.history(), A, "text", "ann", "why not")
    assert (fact.digest, fact.content, fact.by, fact.note) == (A, "text", "ann", "why not")
    made.say(fact)
    assert push(made.history(), A, "text", "bob") is None


def test_a_move_says_what_the_label_named_before():
    made = stream(live=A)
    fact = to(made, "live", B)
    assert (fact.n, fact.label, fact.to, fact.was, fact.by) == (2, "live", B, A, "ann")


def test_moving_live_to_the_shipped_version_is_moving_it_to_the_file():
    assert to(stream(live=A), "live", FILE).to is None
    assert to(stream(A, FILE, live=A), "live", FILE).to is None


def test_a_move_to_what_is_named_already_is_refused():
    assert (
        refused(to, stream(live=A), "live", A) == f"live of architect/design is {A} already: there is nothing to move"
    )
    assert "is the file's version" in refused(to, stream(), "live", FILE)
    assert "is no version already" in refused(to, stream(), "stable", None)


def test_a_version_that_is_live_by_promotion_is_not_moved_to_the_same_file():
    made = running(candidate=B)
    made.say(ExperimentEnded(role="architect", name="design", k=1, verdict="promoted", why="success"))
    assert "nothing to move" in refused(move, made.history(), "live", None, "ann", "", B)


@pytest.mark.parametrize(
    ("label", "digest", "why"),
    [
        ("live", "0" * 12, "push it first"),
        ("stable", FILE, "push it first"),
        ("of the day", A, "is no label"),
        ("shipped", A, "choose another label"),
        ("a" * 12, A, "would be taken for a version"),
    ],
)
def test_a_move_that_cannot_hold_is_refused(label, digest, why):
    assert why in refused(to, stream(), label, digest)


def test_candidate_is_moved_by_hand_only_while_no_experiment_runs():
    assert "experiment 1" in refused(to, running(), "candidate", C)
    assert to(stream(), "candidate", C).to == C


def test_rolling_back_makes_the_version_before_live():
    made = stream(live=A)
    made.say(to(made, "live", B))
    fact = roll_back(made.history(), "ann", "worse", FILE)
    assert (fact.to, fact.was, fact.reason) == (A, B, "worse")
    assert roll_back(stream(live=A).history(), "ann", "", FILE).to is None


def test_rolling_back_what_was_never_moved_is_refused():
    assert "nothing to go back to" in refused(roll_back, stream().history(), "ann", "", FILE)


def test_rolling_back_skips_versions_that_are_the_same_as_the_file():
    made = stream(A, B, live=B)
    made.say(to(made, "live", None))
    made.say(to(made, "live", A))
    assert roll_back(made.history(), "ann", "", A).to == B


def test_an_experiment_starts_with_the_number_that_is_due():
    fact = begin(stream(live=A).history(), share=200_000, reason="try")
    assert (fact.k, fact.live, fact.candidate, fact.share, fact.reason) == (1, A, B, 200_000, "try")
    assert (fact.metric, fact.within_s, fact.dearer, fact.slower, fact.most) == ("valid", 60, 25, None, 100)
    made = running()
    made.say(stop(made.history(), "ann", ""))
    assert begin(made.history()).k == 2


@pytest.mark.parametrize(
    ("made", "more", "why"),
    [
        (stream(), {"candidate": FILE}, f"the fleet has no version {FILE}"),
        (stream(), {"live": FILE}, f"the fleet has no version {FILE}"),
        (stream(), {"candidate": A}, "name another version"),
        (stream(live=C), {}, f"{C} is live"),
        (stream(), {"share": 0}, "a share of 0 %"),
        (stream(), {"share": 1_000_000}, "a share of 100 %"),
        (stream(), {"within_s": 0}, "within_s"),
        (stream(), {"most": 1}, "most"),
        (running(), {"candidate": C}, "experiment 1 of architect/design runs"),
    ],
)
def test_an_experiment_that_cannot_hold_is_refused(made, more, why):
    assert why in refused(begin, made.history(), **more)


def test_a_share_is_changed_and_an_experiment_stopped_only_while_one_runs():
    made = running()
    made.say(ramp(made.history(), 700_000, "ann"))
    assert made.history().running.shares == (500_000, 700_000)
    assert "70 % of the tasks already" in refused(ramp, made.history(), 700_000, "ann")
    assert "leaves nothing to compare" in refused(ramp, made.history(), 0, "ann")
    made.say(stop(made.history(), "ann", "enough"))
    assert made.history().experiments[0].ended.why == "by_hand"
    assert "start one first" in refused(ramp, made.history(), 1, "ann")
    assert "start one first" in refused(stop, made.history(), "ann", "")


def test_a_version_is_meant_by_label_by_name_or_by_the_beginning_of_just_one():
    history = running().history()
    meant = [resolve(history, text, FILE) for text in ("live", "candidate", "shipped", A, "aaaa", "bbbb1", "ffff")]
    assert meant == [A, B, FILE, A, A, B, FILE]
    assert resolve(stream().history(), "live", FILE) == FILE


def test_what_means_no_version_or_several_is_refused_with_what_there_is():
    history = running().history()
    assert f"{B}, {C}" in refused(resolve, history, "bbbb", FILE)
    assert refused(resolve, history, "aaa", FILE) == (
        f"architect/design has no version or label 'aaa'; it has live ({A}), candidate ({B}), shipped ({FILE}), {C}"
    )
    assert "shipped" not in refused(resolve, stream().history(), "x", "")


ACTS = {
    "live": lambda history, version: move(history, "live", version, "x", "", FILE),
    "stable": lambda history, version: move(history, "stable", version, "x", "", FILE),
    "candidate": lambda history, version: move(history, "candidate", version, "x", "", FILE),
    "back": lambda history, version: roll_back(history, "x", "", FILE),
    "start": lambda history, version: begin(history, version, history.live or A),
    "ramp": lambda history, version: ramp(history, history.running.share // 2 if history.running else 1, "x"),
    "stop": lambda history, version: stop(history, "x", ""),
    "promote": lambda history, version: promoted(history),
}
DECISIONS = st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from((A, B, C)), st.integers(0, 6))


def promoted(history):
    if history.running is None:
        raise PromptConflict("nothing runs")
    k = history.running.k
    return ExperimentEnded(role="architect", name="design", k=k, verdict="promoted", why="success")


@settings(max_examples=300, deadline=None)
@given(st.lists(DECISIONS, max_size=30), st.randoms(use_true_random=False))
def test_racing_decisions_from_stale_histories_end_in_one_consistent_state(decisions, rng):
    made = stream()
    for act, version, stale in decisions:
        try:
            made.say(ACTS[act](made.history(max(3, len(made.kept) - stale)), version))
        except PromptConflict:
            continue
    readers = []
    for _ in range(3):
        seen = [*made.kept, *rng.choices(made.kept, k=len(made.kept))]
        rng.shuffle(seen)
        readers.append(Histories(seen).of("architect", "design"))
    assert len({repr(reader) for reader in readers}) == 1
    found = readers[0]
    assert len(found.timeline) == len(made.kept)
    assert found.labels.get("live") == found.live
    assert all(record.ended for record in found.experiments[:-1])
    if record := found.running:
        assert found.labels["candidate"] == record.started.candidate and found.live in (None, record.started.live)


@settings(max_examples=200, deadline=None)
@given(st.lists(DECISIONS, max_size=20), DECISIONS)
def test_a_decision_from_the_present_history_always_gets_its_name_and_holds(decisions, last):
    made = stream()
    for act, version, stale in [*decisions, (last[0], last[1], 0)]:
        try:
            fact = ACTS[act](made.history(max(3, len(made.kept) - stale)), version)
        except PromptConflict:
            continue
        said = made.say(fact)
        if not stale:
            assert said and not made.history().timeline[-1].ignored
            assert encode_prompt(fact)


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_experiments_that_start_at_once_one_runs(first):
    made = stream(live=A)
    facts = [begin(made.history(), candidate) for candidate in (B, C)]
    said = [made.say(fact) for fact in (facts[first], facts[1 - first])]
    assert said == [True, False]
    assert made.history().running.started == facts[first]


def test_a_start_that_was_overtaken_by_a_move_of_live_does_not_run():
    made = stream(live=A)
    late = begin(made.history())
    made.say(to(made, "live", C))
    assert made.say(late) and made.history().running is None
    made.say(begin(made.history(), B, C))
    assert made.history().running.k == 2
