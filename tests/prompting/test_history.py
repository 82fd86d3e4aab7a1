"""Histories of templates: what facts do, what is ignored, and that neither order nor duplicates matter."""

import time
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.v1.prompts import (
    ExampleDropped,
    ExampleKept,
    ExperimentEnded,
    ExperimentStarted,
    ImprovementSet,
    LabelMoved,
    OutcomeScored,
    RevisionTried,
    ShareChanged,
    VersionPushed,
)
from workers.prompting.history import Histories, Kept, TemplateHistory, Unread, empty

OF = {"role": "architect", "name": "design", "by": "ann"}
A, B, C, UNKNOWN = (letter * 12 for letter in "abcf")


def pushed(digest):
    return VersionPushed(**OF, digest=digest, content="text")


def moved(n, label, to):
    return LabelMoved(**OF, n=n, label=label, to=to)


def started(k=1, live=A, candidate=B, share=500_000):
    return ExperimentStarted(**OF, k=k, live=live, candidate=candidate, share=share)


def ended(k=1, verdict="promoted", why="success"):
    return ExperimentEnded(**OF, k=k, verdict=verdict, why=why)


def shared(epoch, share, k=1):
    return ShareChanged(**OF, k=k, epoch=epoch, share=share)


def kept_example(digest):
    return ExampleKept(**OF, id=digest, inputs={"a": 1}, reply={"b": 2})


def unread(said, *tokens):
    return Unread(**OF, said=said, tokens=tokens)


def told(*facts):
    return [Kept(10 * n, 100.0 * n, fact) for n, fact in enumerate(facts, 1)]


def history(*facts) -> TemplateHistory:
    return Histories(told(*facts)).of("architect", "design")


def whys(*facts):
    return [why for _, why in history(*facts).ignored]


PUSHED = (pushed(A), pushed(B), pushed(C))
RUNS = (*PUSHED, moved(1, "live", A), started())


def test_a_template_that_nobody_touched_has_its_file_live_and_every_number_due():
    found = Histories().of("architect", "design")
    assert found == empty("architect", "design")
    assert (found.live, found.running, found.is_touched, found.live_before()) == (None, None, False, None)
    due = found.next_move, found.next_experiment, found.next_improvement, found.next_revision, found.next_epoch
    assert due == (1, 1, 1, 1, 1)


def test_a_label_names_the_version_that_it_was_moved_to_last():
    found = history(*PUSHED, moved(1, "live", A), moved(2, "stable", A), moved(3, "live", B))
    assert found.labels == {"stable": A, "live": B}
    assert (found.live, found.live_before(), found.next_move) == (B, A, 4)


def test_a_label_that_names_nothing_is_gone_and_live_is_the_file_then():
    found = history(
        *PUSHED, moved(1, "live", A), moved(2, "stable", A), moved(3, "live", None), moved(4, "stable", None)
    )
    assert (found.labels, found.live, found.lives) == ({}, None, (None, A, None))


def test_an_experiment_has_the_label_candidate_until_it_ends():
    assert history(*RUNS).labels == {"live": A, "candidate": B}
    assert history(*RUNS, ended(verdict="rolled_back")).labels == {"live": A}
    assert history(*RUNS, ended(verdict="stopped", why="by_hand")).labels == {"live": A}


def test_a_promoted_candidate_is_live_without_another_move():
    found = history(*RUNS, ended())
    assert (found.labels, found.running, found.live_before()) == ({"live": B}, None, A)
    assert found.experiments[0].ended.verdict == "promoted"
    assert (found.experiments[0].at, found.experiments[0].ended_at) == (500.0, 600.0)


def test_who_moves_live_by_hand_ends_the_experiment_and_a_later_verdict_is_ignored():
    found = history(*RUNS, moved(2, "live", C), ended())
    record = found.experiments[0]
    assert (record.ended.verdict, record.ended.why, record.ended.by) == ("stopped", "by_hand", "ann")
    assert (found.labels, found.running) == ({"live": C}, None)
    assert [why for _, why in found.ignored] == ["experiment 1 does not run"]


def test_other_labels_move_without_ending_the_experiment():
    assert history(*RUNS, moved(2, "stable", C)).running is not None


def test_shares_are_kept_by_epoch():
    record = history(*RUNS, shared(1, 700_000), shared(2, 900_000)).running
    assert (record.shares, record.epoch, record.share) == ((500_000, 700_000, 900_000), 2, 900_000)


def test_experiments_are_counted_over_the_lifetime():
    found = history(*RUNS, ended(), started(2, B, C))
    assert [record.id for record in found.experiments] == ["architect/design/1", "architect/design/2"]
    assert found.running is found.experiment(2) and found.experiment(3) is None and found.next_experiment == 3


def test_how_it_improves_itself_is_what_was_set_last():
    found = history(ImprovementSet(**OF, n=1, on=True), ImprovementSet(**OF, n=2, on=False))
    assert (found.improvement.on, found.next_improvement) == (False, 3)


def test_every_attempt_to_revise_is_counted_also_one_that_is_told_late():
    tries = [RevisionTried(**OF, n=n, tenant="t", run=f"r{n}", of=A) for n in (2, 1)]
    assert [one.n for one in history(*tries).revisions] == [2, 1]
    assert history(tries[0]).next_revision == 1 and history(*tries).next_revision == 3


def test_a_dropped_example_is_gone_for_ever():
    drop = ExampleDropped(**OF, id=A)
    assert history(kept_example(A), kept_example(B)).examples.keys() == {A, B}
    assert history(kept_example(A), kept_example(B), drop).examples.keys() == {B}
    assert history(drop, kept_example(A)).examples == {}


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ((moved(1, "live", UNKNOWN),), f"version {UNKNOWN} is not known"),
        ((moved(2, "live", A),), "it has number 2, and 1 is due"),
        ((moved(1, "live", None),), "live is that already"),
        ((*PUSHED, pushed(A)), f"version {A} is there already"),
        ((started(),), f"version {A} is not known"),
        ((*PUSHED, started(2)), "it has number 2, and 1 is due"),
        ((*PUSHED, started(1, A, A)), f"version {A} can't be tried beside itself"),
        ((*PUSHED, moved(1, "live", C), started()), f"version {C} is live, and not {A}"),
        ((*RUNS, started(2, A, C)), "experiment 1 runs"),
        ((*RUNS, moved(2, "candidate", C)), "experiment 1 runs, and candidate is its own"),
        ((*RUNS, shared(2, 1)), "it has number 2, and 1 is due"),
        ((*RUNS, shared(1, 1, k=2)), "experiment 2 does not run"),
        ((*RUNS, ended(), shared(1, 1)), "experiment 1 does not run"),
        ((*RUNS, ended(2)), "experiment 2 does not run"),
        ((ImprovementSet(**OF, n=3, on=True),), "it has number 3, and 1 is due"),
        ((unread("label", "1"),), "nobody here can read it"),
    ],
)
def test_what_cannot_hold_is_ignored_with_a_reason(facts, why):
    assert whys(*facts) == [why]
    before, after = history(*facts[:-1]), history(*facts)
    assert (before.labels, before.experiments, before.improvement) == (
        after.labels,
        after.experiments,
        after.improvement,
    )


def test_a_number_that_was_taken_in_vain_is_skipped():
    found = history(*PUSHED, moved(2, "live", B), moved(1, "live", A), moved(3, "live", C))
    assert (found.live, found.next_move, len(found.ignored)) == (C, 4, 1)


def test_a_name_that_nobody_can_read_is_taken_all_the_same():
    found = history(*PUSHED, unread("label", "1"), moved(2, "live", A), unread("share", "1", "1"))
    assert (found.live, found.next_move) == (A, 3)
    found = history(*PUSHED, started(), unread("share", "1", "1"), shared(2, 9))
    assert found.running.shares == (500_000, 500_000, 9)
    assert history(unread("version", "1" * 12), unread("label", "x"), unread("label", "9" * 60)).numbers == {}


def test_an_experiment_whose_verdict_was_there_before_it_does_not_run_for_ever():
    found = history(*PUSHED, ended(), started(), started(2))
    assert [record.k for record in found.experiments] == [2]


def test_outcomes_are_no_part_of_a_history():
    outcome = OutcomeScored(**OF, k=1, tenant="t", run="r", task="x", epoch=0, arm="live", place=1, won=True)
    assert history(*RUNS, outcome) == history(*RUNS)
    assert Histories(told(outcome)).names() == ()


def test_templates_do_not_know_of_each_other():
    other = VersionPushed(role="reviewer", name="vote", digest=A, content="text")
    found = Histories(told(pushed(B), other))
    assert found.names() == ("architect/design", "reviewer/vote")
    assert found.of("reviewer", "vote").versions.keys() == {A}


def test_the_timeline_says_what_each_fact_did():
    did = [entry.did for entry in history(*RUNS, shared(1, 250_000), ended()).timeline[3:]]
    assert did == [
        f"live moved from the file to {A}",
        f"experiment 1 started: {B} beside {A} with 50 % of the tasks",
        "experiment 1: the candidate gets 25 % of the tasks",
        f"experiment 1 was promoted: it succeeds more often; live moved to {B}",
    ]


NUMBER = st.integers(1, 4)
DIGEST = st.sampled_from((A, B, C))
FACTS = st.one_of(
    DIGEST.map(pushed),
    st.builds(moved, NUMBER, st.sampled_from(("live", "candidate", "x")), st.none() | DIGEST),
    st.builds(started, NUMBER, DIGEST, DIGEST),
    st.builds(shared, NUMBER, st.integers(0, 1_000_000), NUMBER),
    st.builds(ended, NUMBER, st.sampled_from(("promoted", "rolled_back", "stopped"))),
    st.builds(lambda n, on: ImprovementSet(**OF, n=n, on=on), NUMBER, st.booleans()),
    st.builds(lambda n: RevisionTried(**OF, n=n, tenant="t", run="r", of=A), NUMBER),
    DIGEST.map(kept_example),
    st.builds(lambda digest: ExampleDropped(**OF, id=digest), DIGEST),
    st.builds(unread, st.sampled_from(("label", "experiment", "verdict")), NUMBER.map(str)),
)
STREAMS = st.lists(FACTS, max_size=25).map(lambda facts: told(*PUSHED, *facts))


@settings(max_examples=200, deadline=None)
@given(STREAMS, st.randoms(use_true_random=False))
def test_any_order_and_duplicates_make_the_same_history(stream, rng):
    mixed = [*stream, *rng.choices(stream, k=len(stream))]
    rng.shuffle(mixed)
    histories = Histories()
    for kept in mixed:
        histories.take(kept)
        if rng.random() < 0.3:
            histories.of("architect", "design")
    assert repr(histories.of("architect", "design")) == repr(Histories(stream).of("architect", "design"))


@settings(max_examples=200, deadline=None)
@given(STREAMS)
def test_whatever_is_in_the_stream_the_history_makes_sense(stream):
    found = Histories(stream).of("architect", "design")
    assert len(found.timeline) == len(stream)
    assert found.labels.get("live") == found.live
    assert set(found.labels.values()) <= found.versions.keys()
    assert all(record.ended for record in found.experiments[:-1])
    numbers = [record.k for record in found.experiments]
    assert numbers == sorted(set(numbers))
    assert all(now != before for before, now in zip(found.lives, found.lives[1:], strict=False))
    if running := found.running:
        assert found.labels["candidate"] == running.started.candidate
        assert found.live in (None, running.started.live)


def test_a_long_history_is_folded_within_a_second():
    facts = [moved(n, "stable", (A, B)[n % 2]) for n in range(1, 2_001)]
    examples = [kept_example(sha256(str(n).encode()).hexdigest()[:12]) for n in range(500)]
    stream = told(*PUSHED, *facts, *examples)
    began = time.perf_counter()
    found = Histories(reversed(stream)).of("architect", "design")
    assert (found.next_move, len(found.examples), len(found.ignored)) == (2_001, 500, 0)
    assert time.perf_counter() - began < 1


def test_a_long_history_takes_no_square_of_its_length():
    facts = [moved(n, "x", None) for n in range(2, 12_002)]
    began = time.process_time()
    found = Histories(Kept(n, float(n), fact) for n, fact in enumerate(facts, 1)).of("architect", "design")
    assert time.process_time() - began < 4.0
    assert (len(found.timeline), found.next_move) == (12_000, 1)
