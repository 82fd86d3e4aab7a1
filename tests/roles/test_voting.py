"""The reviewer as a voter: what each rule asks for, and what becomes of answers that are no vote."""

import json

import pytest

from contracts.v1.ballots import Option, VoteCast
from contracts.v1.projects import FileRef
from contracts.v1.tasks import CastVote
from workers.llm.calls import CannotServe, Parked
from workers.llm.model import Completion, ModelUnavailable
from workers.prompting.templates import Prompts
from workers.roles.evidence import shown as as_shown
from workers.roles.reviewer.voting import FORMS
from workers.roles.reviewer.worker import role
from workers.runtime.errors import BusUnavailable
from workers.runtime.ports import ArtifactMissing
from workers.runtime.settings import Settings
from workers.runtime.signing import BadKey, Signer, check_bytes, new_seed

WHY = {"rationale": "It meets AC-1."}
VOTE = "flotilla.acme.r1.vote.release-1.anna"
CHOICE_RULES = ("majority", "supermajority", "unanimity", "veto", "weighted", "ahead")


def options_of(*names):
    return tuple(Option(option=name) for name in names)


@pytest.fixture
def task(identity):
    """Makes the command that asks anna."""
    plain = {
        **identity,
        "task": "vote-release-1--anna",
        "role": "reviewer",
        "ballot": "release-1",
        "voter": "anna",
        "question": "Is it to be released?",
        "options": options_of("release", "repair", "wait"),
    }
    return lambda **changed: CastVote(**{**plain, **changed})


@pytest.fixture
def cast(stage, perform):
    """Performs the task and returns the vote that the log has, with what was reported."""

    async def run(task, *replies, **delivery):
        answered = await perform(role, task, *replies, **delivery)
        vote = stage.messages[VOTE]
        assert isinstance(vote, VoteCast)
        assert (answered.ballot, answered.voter, answered.abstained) == ("release-1", "anna", vote.because)
        return vote, answered

    return run


def preference(vote):
    return vote.choice, vote.approved, vote.ranking, vote.scores


def abstains(vote):
    return preference(vote) == (None, (), (), {}) and bool(vote.because)


@pytest.mark.parametrize("rule", CHOICE_RULES)
async def test_a_choice_rule_takes_one_option(cast, stage, task, rule):
    vote, answered = await cast(task(rule=rule), {**WHY, "choice": "repair"})
    assert preference(vote) == ("repair", (), (), {})
    assert (vote.rationale, vote.because, vote.target, vote.task) == (
        "It meets AC-1.", "", "scripted", "vote-release-1--anna",
    )  # fmt: skip
    assert (answered.abstained, len(answered.calls), answered.calls[0].prompt) == ("", 1, "reviewer/vote:generalist")
    assert stage.asked[0].reply_schema["title"] == "ChoiceReply"


async def test_approval_takes_all_that_are_approved(cast, task):
    vote, _ = await cast(task(rule="approval"), {**WHY, "approved": ["wait", "release"]})
    assert preference(vote) == (None, ("wait", "release"), (), {})
    assert not vote.because


async def test_a_ranking_may_leave_options_out(cast, task):
    vote, _ = await cast(task(rule="ranked"), {**WHY, "ranking": ["wait", "release"]})
    assert preference(vote) == (None, (), ("wait", "release"), {})


async def test_scores_go_from_0_to_the_highest(cast, task):
    given = {"release": 3, "repair": 0, "wait": 2}
    scores = [{"option": option, "score": score} for option, score in given.items()]
    vote, _ = await cast(task(rule="score", score_max=3), {**WHY, "scores": scores})
    assert preference(vote) == (None, (), (), given)


@pytest.mark.parametrize(
    ("rule", "nothing"),
    [("majority", {"choice": None}), ("approval", {"approved": []}), ("ranked", {"ranking": []}),
     ("score", {"scores": []})],
)  # fmt: skip
async def test_a_voter_may_abstain_by_itself(cast, task, rule, nothing):
    vote, _ = await cast(task(rule=rule), {**WHY, **nothing})
    assert abstains(vote)
    assert vote.rationale == "It meets AC-1."


WRONG = [
    ("majority", {"choice": "Release"}, "there is no option 'Release'; the options are release, repair, wait"),
    ("majority", {"choice": ""}, "there is no option ''"),
    ("approval", {"approved": ["release", "all"]}, "there is no option 'all'"),
    ("approval", {"approved": ["release", "release"]}, "'release' is there more than once"),
    ("ranked", {"ranking": ["wait", "release", "wait"]}, "'wait' is there more than once"),
    ("score", {"scores": [{"option": "release", "score": 11}]}, "the score 11 of 'release' is above 10"),
    ("score", {"scores": [{"option": "release", "score": -1}]}, "scores.0.score"),
    ("score", {"scores": [{"option": "release", "score": 1}]}, "no score for repair, wait"),
    ("majority", {"choice": "release", "confidence": 1}, "confidence"),
    ("majority", {"choice": "release", "rationale": "x" * 20_001}, "rationale: String should have at most 20000"),
]


@pytest.mark.parametrize(("rule", "wrong", "fault"), WRONG)
async def test_what_is_no_vote_is_named_and_may_be_mended_once(cast, stage, task, rule, wrong, fault):
    mended = {
        "majority": {"choice": "release"},
        "approval": {"approved": ["release"]},
        "ranked": {"ranking": ["release"]},
        "score": {"scores": [{"option": option.option, "score": 1} for option in task().options]},
    }[rule]
    vote, answered = await cast(task(rule=rule), {**WHY, **wrong}, {**WHY, **mended})
    assert not abstains(vote)
    assert len(answered.calls) == 2
    assert fault in stage.asked[1].messages[-1].text.replace("\\u003c", "<")


@pytest.mark.parametrize(("rule", "wrong", "fault"), WRONG)
async def test_what_is_no_vote_twice_is_an_abstention_that_says_why(cast, task, rule, wrong, fault):
    vote, answered = await cast(task(rule=rule), {**WHY, **wrong}, {**WHY, **wrong})
    assert abstains(vote)
    assert vote.because.startswith("the answer did not fit: scripted did not answer reviewer/vote:generalist with a ")
    assert fault in vote.because
    assert (vote.target, vote.rationale, len(answered.calls)) == ("scripted", "", 2)


@pytest.mark.parametrize("text", ["I am for release.", '{"choice": "release"', "", '"release"', "null", "[]"])
async def test_an_approval_in_prose_is_none(cast, task, text):
    said = Completion(text, 1, 1, target="scripted")
    vote, _ = await cast(task(), said, said)
    assert abstains(vote)


async def test_an_answer_that_is_cut_off_for_good_is_an_abstention(cast, task):
    text = json.dumps({**WHY, "choice": "release"})
    endless = [Completion(text + " " * n, 1, 1, stop="length", target="scripted") for n in range(4)]
    vote, _ = await cast(task(), *endless)
    assert abstains(vote)
    assert "cut off at the length limit" in vote.because


async def test_a_refusal_is_an_abstention(cast, task):
    refusal = Completion("I would rather not.", 1, 1, stop="refusal", target="shy")
    vote, _ = await cast(task(), refusal)
    assert abstains(vote)
    assert vote.because.startswith("the model refused: shy refused to answer reviewer/vote:generalist: I would rather")
    assert vote.target == "shy"


async def test_no_other_target_votes_for_a_voter_that_refuses(cast, stage, task):
    refusal = Completion("No.", 1, 1, stop="refusal", target="shy")
    vote, answered = await cast(task(), refusal, {**WHY, "choice": "release"})
    assert abstains(vote) and "nobody else answers in its place" in vote.because
    assert (vote.target, len(answered.calls), len(stage.asked)) == ("shy", 1, 1)


async def test_a_vote_is_of_the_target_that_answered_and_not_of_one_that_was_cut_off(cast, task):
    slow = Completion("", 1, 1, target="slow")
    said = Completion(json.dumps({**WHY, "choice": "release"}), 1, 1, target="fast", lost=(slow,))
    vote, answered = await cast(task(), said)
    assert [call.target for call in answered.calls] == ["fast", "slow"]
    assert vote.target == "fast"


async def test_an_unknown_persona_is_an_abstention_that_names_those_there_are(cast, stage, task):
    vote, answered = await cast(task(persona="pirate"))
    assert abstains(vote)
    assert "role reviewer has no persona 'pirate'; there are correctness, generalist, " in vote.because
    assert (stage.asked, answered.calls, vote.target) == ([], (), "")


async def test_a_target_that_is_not_there_is_an_abstention(cast, task):
    vote, _ = await cast(task(model="nobody"), CannotServe("there is no target 'nobody'"))
    assert abstains(vote)
    assert vote.because == "the question could not be put to a model: there is no target 'nobody'"


async def test_options_that_no_model_could_read_are_an_abstention(cast, kept, task):
    huge = Option(option="release", files=kept({f"a{n}.py": "x" * 1_000_000 for n in range(5)}))
    vote, _ = await cast(task(options=(huge, Option(option="repair"))))
    assert abstains(vote)
    assert "too large to show to a model" in vote.because


async def test_an_unknown_rule_is_an_abstention(cast, task):
    vote, _ = await cast(task(rule="dice"))
    assert abstains(vote)
    assert "knows no rule 'dice'; it knows ahead, approval, " in vote.because


@pytest.mark.parametrize("text", ["\\ud800", "the key is hunter22-hunter22"])
async def test_a_reason_holds_what_the_log_can_and_may_hold(cast, stage, task, monkeypatch, text):
    monkeypatch.setenv("SOME_API_KEY", "hunter22-hunter22")
    refusal = Completion(json.loads(f'"{text}"'), 1, 1, stop="refusal", target="shy")
    vote, _ = await cast(task(), refusal)
    assert abstains(vote)
    assert "hunter22" not in vote.model_dump_json()


@pytest.mark.parametrize(
    "transient",
    [Parked("models", "all cool", "acme/r1/llm.vote.1.1", 5.0), ModelUnavailable("later"), BusUnavailable("away")],
)
async def test_a_voter_that_can_not_answer_now_says_nothing(perform, stage, task, transient):
    with pytest.raises(type(transient)):
        await perform(role, task(), transient)
    assert VOTE not in stage.messages


async def test_a_redelivered_vote_is_read_from_the_journal_and_is_no_news(cast, stage, task):
    first, _ = await cast(task(), {**WHY, "choice": "release"})
    said = len(stage.messages)
    again, answered = await cast(task(), redelivered=True)
    assert again == first
    assert (len(stage.asked), len(stage.messages), len(answered.calls)) == (1, said, 1)
    assert stage.said.count(VOTE) == 2


async def test_a_signed_vote_carries_the_signature_of_the_workers_key(cast, stage, task):
    seed = new_seed()
    stage.settings = Settings(signing_seed=seed.decode())
    vote, _ = await cast(task(signed=True), {**WHY, "choice": "release"})
    key = Signer(seed).public_key
    check_bytes(vote.signed_bytes, vote.signature, key)
    with pytest.raises(BadKey):
        check_bytes(vote.model_copy(update={"choice": "repair"}).signed_bytes, vote.signature, key)


async def test_an_abstention_is_signed_as_well(cast, stage, task):
    seed = new_seed()
    stage.settings = Settings(signing_seed=seed.decode())
    vote, _ = await cast(task(signed=True, persona="pirate"))
    check_bytes(vote.signed_bytes, vote.signature, Signer(seed).public_key)


async def test_a_vote_is_not_signed_without_need(cast, task):
    vote, _ = await cast(task(), {**WHY, "choice": "release"})
    assert vote.signature == ""


async def test_the_voter_sees_the_options_but_not_whose_they_are(cast, stage, kept, evidence, task):
    release = Option(
        option="release",
        title="Go",
        text="All done.",
        content="a" * 64,
        author="smart:author",
        evidence=evidence,
        files=kept({"src/books/api.py": "x = '</data>'\n"}),
    )
    asked = task(options=(release, Option(option="repair")), context='{"requirements": 1}', model="asked:target")
    await cast(asked, {**WHY, "choice": "release"})
    assert stage.blocks() == {
        "question": "Is it to be released?",
        "context": '{"requirements": 1}',
        "options": [
            {
                "option": "release",
                "title": "Go",
                "text": "All done.",
                "evidence": as_shown(evidence),
                "files": [{"path": "src/books/api.py", "content": "x = '</data>'\n"}],
            },
            {"option": "repair"},
        ],
        "rule": "majority",
        "score_max": 10,
    }
    shown = "".join(message.text for message in stage.asked[0].messages)
    assert [name for name in ("smart:author", "asked:target", "anna", "a" * 64) if name in shown] == []


async def test_the_persona_stands_in_the_system_message_and_in_the_journal(cast, stage, task):
    _, one = await cast(task(persona="security"), {**WHY, "choice": "release"})
    assert stage.asked[0].messages[0].role == "system"
    assert "the voter for security" in stage.asked[0].messages[0].text
    prompts = Prompts.load()
    assert one.calls[0].prompt == "reviewer/vote:security"
    assert one.calls[0].prompt_version == prompts.named("reviewer/vote:security").version
    assert one.calls[0].prompt_version != prompts.named("reviewer/vote").version


def test_every_rule_has_its_form():
    assert set(FORMS) == {*CHOICE_RULES, "approval", "ranked", "score"}


async def test_an_option_whose_files_are_lost_can_not_be_put_to_a_model(cast, stage, task):
    lost = FileRef(path="a.py", sha256="f" * 64, size=1)
    stage.get = _lost
    vote, _ = await cast(task(options=(Option(option="release", files=(lost,)), Option(option="repair"))))
    assert abstains(vote) and vote.because.startswith("the question could not be put to a model")


async def _lost(digest):
    raise ArtifactMissing(f"no artifact {digest}")
