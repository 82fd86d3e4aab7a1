"""ballot open: who is asked, what is refused before anything is said, and waiting for the decision."""

import json
from datetime import timedelta

import pytest

from contracts.codec import decode, encode
from contracts.subjects import subject_of
from contracts.v1.ballots import BallotOpened, DecisionMade, OutcomeSeen
from contracts.v1.budgets import Budget
from workers.cli.panels import PERSONAS, voting_typed
from workers.consensus.rules import RULES
from workers.orchestrator.blueprint import Voter
from workers.prompting.templates import Prompts
from workers.runtime.settings import Settings
from workers.runtime.signing import Signer

ASK = ("ballot", "open", "--question", "Which?", "--options", "a,b,c")


def opened(desk, *more: str) -> BallotOpened:
    result = desk(*ASK, "--no-wait", *more)
    assert result.exit_code == 0, result.output
    fact = decode(desk.log.facts[-1].subject, desk.log.facts[-1].data)
    assert isinstance(fact, BallotOpened)
    return fact


class TestWhoIsAsked:
    def test_a_number_of_voters_is_a_panel_of_personas(self, desk):
        ballot = opened(desk, "--voters", "5")
        assert ballot.electorate == PERSONAS[:5]
        assert [(one.voter, one.persona, one.role) for one in ballot.panel] == [
            (name, name, "reviewer") for name in PERSONAS[:5]
        ]
        assert (ballot.rule, ballot.quorum, ballot.deadline_s, ballot.wave) == ("majority", 3, 900, 3)

    def test_beyond_the_personas_they_come_again_on_the_next_target(self):
        voting = voting_typed("10", "", ("builtin:error=0.1", "builtin"), lambda target: target.partition(":")[2])
        assert voting.electorate[-2:] == ("correctness-2", "security-2")
        first, again = voting.panel[0], voting.panel[8]
        assert (first.persona, again.persona) == ("correctness", "correctness")
        assert (first.target, again.target) == ("builtin:error=0.1", "builtin")
        assert first.family == "error=0.1"

    def test_personas_are_asked_and_other_names_vote_by_themselves(self, desk):
        ballot = opened(desk, "--voters", "security,ada", "--panel", "user@builtin:error=0.2")
        assert ballot.electorate == ("security", "ada", "user-builtin-error-0-2")
        assert [(one.persona, one.target) for one in ballot.panel] == [
            ("security", ""), ("user", "builtin:error=0.2"),
        ]  # fmt: skip

    def test_the_personas_are_those_that_are_shipped(self):
        assert set(PERSONAS) == set(Prompts.load().personas("reviewer"))

    def test_a_persona_of_ones_own_is_asked_like_a_shipped_one(self, desk, tmp_path):
        own = tmp_path / "reviewer" / "personas" / "lawyer.md"
        own.parent.mkdir(parents=True)
        own.write_text("You are the voter for licences.\n", encoding="utf-8")
        desk.settings = Settings(prompts_dir=tmp_path)
        ballot = opened(desk, "--voters", "lawyer,ada", "--panel", "lawyer@builtin")
        assert [one.voter for one in ballot.panel] == ["lawyer", "lawyer-builtin"]

    def test_prompts_that_can_not_be_read_are_told_of(self, desk, tmp_path):
        desk.settings = Settings(prompts_dir=tmp_path / "nowhere")
        result = desk(*ASK, "--voters", "2", "--no-wait")
        assert result.exit_code == 2 and "flotilla prompts lint" in result.output

    def test_a_voter_on_a_target_has_the_name_that_it_has_in_runs(self, desk):
        ballot = opened(desk, "--panel", "security@groq:llama--3", "--voters", "ada")
        assert ballot.panel[0].voter == Voter(persona="security", target="groq:llama--3").name

    def test_a_ballot_of_its_own_lives_in_a_run_of_its_name(self, desk):
        ballot = opened(desk, "--voters", "ada,bob")
        assert (ballot.tenant, ballot.run, ballot.ballot, ballot.opened_by) == (
            "default", "made-up", "made-up", "flotilla",
        )  # fmt: skip

    def test_one_of_a_run_spends_its_budget(self, desk, story):
        plan = story.planning()[0].model_copy(update={"budget": Budget(usd=2.0)})
        desk.tell([story.request(), plan])
        ballot = opened(desk, "--voters", "2", "--run", "r1")
        assert (ballot.run, ballot.budget) == ("r1", Budget(usd=2.0))

    def test_weights_are_learned_from_outcomes_and_frozen(self, desk, held):
        right, wrong = ("ada",), ("bob",)
        ids = {"tenant": "default", "option": "a", "right": True, "voters_right": right, "voters_wrong": wrong}
        desk.tell([OutcomeSeen(**ids, run=f"r{n}", ballot="x") for n in range(20)])
        ballot = opened(desk, "--voters", "ada,bob", "--rule", "weighted")
        assert ballot.weights["ada"] > ballot.weights["bob"]


class TestTerms:
    def test_everything_that_can_be_said_is_in_the_ballot(self, desk, tmp_path):
        (tmp_path / "a.txt").write_text("the first one")
        (tmp_path / "context.txt").write_text("what to know")
        ballot = opened(
            desk, "--voters", "ada,bob,eve", "--rule", "supermajority", "--threshold", "60%", "--quorum", "2",
            "--deadline", "60s", "--status-quo", "a", "--tie", "status_quo,hash", "--extension", "5m",
            "--context", f"@{tmp_path / 'context.txt'}", "--option", f"a={tmp_path / 'a.txt'}", "--wave", "2",
            "--budget", "1.5",
        )  # fmt: skip
        assert (ballot.threshold, ballot.quorum, ballot.deadline_s, ballot.wave) == ((3, 5), 2, 60, 2)
        assert (ballot.status_quo, ballot.tie_order) == ("a", ("status_quo", "hash"))
        assert (ballot.no_quorum, ballot.extension_s) == ("extend", 300)
        assert (ballot.context, ballot.options[0].text) == ("what to know", "the first one")
        assert ballot.budget == Budget(usd=1.5)

    def test_the_lead_follows_from_the_error_that_is_wanted(self, desk):
        voters = ("--voters", "8", "--rule", "ahead")
        assert opened(desk, *voters, "--error-rate", "0.01", "--accuracy", "0.8").ahead_by == 4

    def test_a_signed_ballot_has_the_keys(self, desk):
        key = Signer().public_key
        assert opened(desk, "--voters", "ada", "--signed", "--keys", f"ada={key}").keys == {"ada": key}


class TestRefused:
    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ((), "name the voters"),
            (("--voters", "0"), "1 to 100"),
            (("--voters", "ada,ada"), "ada is named more than once"),
            (("--voters", "2", "--options", "a"), "at least 2 options"),
            (("--voters", "2", "--options", "a,a"), "option a is named twice"),
            (("--voters", "2", "--options", "a,b c"), "'b c' is no name of an option"),
            (("--voters", "2", "--rule", "dice"), "there is no rule 'dice'; there are majority"),
            (("--voters", "2", "--quorum", "3"), "quorum 3 is above the electorate of 2"),
            (("--voters", "2", "--quorum", "0"), "--quorum: give at least 1"),
            (("--voters", "2", "--rule", "score", "--score-max", "101"), "--score-max: give at most 100"),
            (("--voters", "2", "--question", "q" * 20_001), "--question: it is too long; give at most 20,000"),
            (("--voters", ",".join(f"v{n}" for n in range(1001))), "--voters: give at most 1000, and not 1001"),
            (("--voters", "-3"), "from 1 to 100"),
            (("--voters", "2", "--deadline", "0s"), "--deadline '0s' is over before it begins"),
            (("--voters", "2", "--deadline", "-5s"), "--deadline"),
            (("--voters", "2", "--status-quo", "d"), "--status-quo d: it is none of the options a, b, c"),
            (("--voters", "2", "--default", "d"), "--default d: it is none of the options"),
            (("--voters", "2", "--no-quorum", "default"), "--no-quorum default and --default"),
            (("--voters", "2", "--no-quorum", "extend"), "--no-quorum extend and --extension"),
            (("--voters", "2", "--no-quorum", "wait"), "there are undecided, escalate, extend, default"),
            (("--voters", "2", "--tie", "luck"), "--tie luck: there are status_quo, weight, hash"),
            (("--voters", "2", "--tie", "status_quo"), "needs --status-quo"),
            (("--voters", "2", "--threshold", "2/3"), "--threshold belongs to --rule supermajority"),
            (("--voters", "2", "--rule", "supermajority", "--threshold", "3/2"), "above 0 and up to 1"),
            (("--voters", "2", "--rule", "supermajority", "--threshold", "1/0"), "above 0 and up to 1"),
            (("--voters", "2", "--rule", "ahead", "--error-rate", "0.1"), "go together"),
            (("--voters", "2", "--rule", "ahead", "--error-rate", "nan", "--accuracy", "0.8"), "are shares"),
            (("--voters", "2", "--rule", "ahead", "--error-rate", "0.01", "--accuracy", "0.4"), "between ½ and 1" ),
            (("--voters", "2", "--rule", "veto"), "--rule veto needs --status-quo"),
            (("--voters", "ada", "--signed"), "--signed needs the public nkey of each voter: --keys ada=U"),
            (("--voters", "ada", "--signed", "--keys", "ada=UA,ada=UB"), "--keys names ada twice"),
            (("--voters", "ada", "--keys", "ada=UX"), "--keys belong to --signed"),
            (("--voters", "ada", "--signed", "--keys", "ada"), "NAME=VALUE"),
            (("--voters", "2", "--name", "a--b"), "has -- in it"),
            (("--voters", "2", "--name", "x" * 41), "41 characters"),
            (("--voters", "2", "--name", "a b"), "no name of a ballot"),
            (("--voters", "2", "--question", " "), "--question"),
            (("--voters", "2", "--context", "@nowhere.txt"), "can't be read"),
            (("--voters", "2", "--context", "@"), "name the file"),
            (("--voters", "2", "--option", "d=conftest.py"), "--option"),
            (("--voters", "2", "--option", "a=x", "--option", "a=y"), "--option names a twice"),
            (("--panel", "nobody"), "there is no persona 'nobody'"),
            (("--voters", "2", "--distinct-families"), "the family of"),
        ],
    )  # fmt: skip
    def test_a_ballot_that_makes_no_sense_is_refused_and_nothing_is_said(self, desk, more, said):
        result = desk(*ASK, *more, "--no-wait")
        assert result.exit_code == 2, result.output
        assert said in result.stderr
        assert "Traceback" not in result.output
        assert (desk.log.facts, desk.fleet.servers, desk.connected) == ([], [], [])

    def test_a_run_that_is_over_has_no_ballots_any_more(self, desk, story):
        desk.tell([story.request(), *story.closing(status="failed")])
        result = desk(*ASK, "--voters", "2", "--run", "r1", "--no-wait")
        assert result.exit_code == 1
        assert "over already" in result.stderr

    def test_the_same_ballot_twice_is_one_and_another_of_its_name_is_refused(self, desk):
        first = desk(*ASK, "--voters", "2", "--name", "mine", "--no-wait")
        again = desk(*ASK, "--voters", "2", "--name", "mine", "--no-wait")
        other = desk(*ASK, "--voters", "3", "--name", "mine", "--no-wait")
        assert (first.exit_code, again.exit_code, other.exit_code) == (0, 0, 2)
        assert (first.stdout, again.stdout) == ("mine\n", "mine\n")
        assert "opened already, and it is the same" in again.stderr
        assert "opened already, with another electorate" in other.stderr
        assert len(desk.log.facts) == 1


class TestWaiting:
    def answers(self, desk, held, *facts, decide=True, gate=False):
        """From now on the opening of this ballot is answered by these facts and the decision on them."""

        def answer(log, message):
            if isinstance(message, BallotOpened):
                held.terms = message
                for fact in facts:
                    log.put(subject_of(fact), encode(fact))
                if decide:
                    desk.decide(held)
                if gate:
                    log.put(subject_of(held.gate()), encode(held.gate()))

        desk.log.answer = answer

    def test_votes_are_shown_as_they_come_with_the_tally_and_then_the_decision(self, desk, new_held):
        held = new_held("b1")
        self.answers(desk, held, held.vote("ada", "a", rationale="short"), held.vote("bob", "a"))
        result = desk(*ASK, "--voters", "ada,bob,eve", "--name", "b1")
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        assert "vote       ada" in lines[1]
        assert "a (a 1, b 0, c 0; 1 of 3) short" in lines[1]
        assert "(a 2, b 0, c 0; 2 of 3)" in lines[2]
        assert lines[3].startswith("ballot b1  decided: a after")
        assert "recount   the same" in lines[-1]

    def test_undecided_has_an_exit_code_of_its_own(self, desk, new_held):
        held = new_held("b1")
        self.answers(desk, held, held.passed())
        result = desk(*ASK, "--voters", "ada,bob,eve", "--name", "b1")
        assert result.exit_code == 4
        assert "ballot b1  undecided after" in result.stdout
        assert "decided: undecided" not in result.stdout

    def test_one_that_is_left_to_a_person_says_how_to_answer(self, desk, new_held):
        held = new_held("b1")
        self.answers(desk, held, held.passed(), gate=True)
        result = desk(*ASK, "--voters", "ada,bob,eve", "--name", "b1", "--no-quorum", "escalate")
        assert result.exit_code == 4
        assert "ballot b1  left to a person after" in result.stdout
        assert "answer it with `flotilla approve b1 b1`" in result.stdout

    def test_one_that_the_fleet_refuses_failed(self, desk, new_held):
        held = new_held("b1")
        refused = DecisionMade(**held.ids, option=None, by="refused", reason="no option can win")
        self.answers(desk, held, refused, decide=False)
        result = desk(*ASK, "--voters", "ada,bob,eve", "--name", "b1")
        assert result.exit_code == 1
        assert "refused" in result.stdout
        assert "no option can win" in result.stdout

    def test_only_the_fleets_own_voters_bring_a_fleet_along(self, desk, new_held):
        held = new_held("b1")
        self.answers(desk, held, held.vote("correctness", "a"), held.vote("security", "a"))
        assert desk(*ASK, "--voters", "3", "--name", "b1").exit_code == 0
        assert desk.fleet.servers == [None]

    def test_json_is_an_object_per_fact_and_one_on_the_ballot(self, desk, new_held):
        held = new_held("b1")
        self.answers(desk, held, held.vote("ada", "a"), held.vote("bob", "a"))
        result = desk(*ASK, "--voters", "ada,bob,eve", "--name", "b1", "--json")
        said = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["type"] for one in said] == ["fact"] * 4 + ["ballot"]
        last = said[-1]
        assert (last["outcome"], last["counts"], last["recount"]) == ("a", {"a": 2, "b": 0, "c": 0}, "same")

    @pytest.mark.parametrize(
        ("rule", "way"),
        [
            ("majority", "--choice …`"),
            ("approval", "--approve …,…`"),
            ("ranked", "--rank …,…`"),
            ("score", "--score …=3,…=5`"),
        ],
    )
    def test_voters_are_told_the_way_of_the_rule(self, desk, rule, way):
        result = desk(*ASK, "--voters", "2,ada", "--name", "b1", "--rule", rule, "--no-wait")
        assert f"flotilla ballot vote b1 --as ada {way}" in result.stderr

    def test_voters_of_a_signed_ballot_in_a_run_are_told_of_the_key_and_the_run(self, desk, story):
        desk.tell([story.request()])
        keys = ("--signed", "--keys", f"ada={Signer().public_key}")
        result = desk(*ASK, "--voters", "ada", "--name", "b1", "--run", "r1", "--no-wait", *keys)
        assert "flotilla ballot vote b1 --run r1 --as ada --choice … --key-file SEED`" in result.stderr

    def test_the_rules_that_help_names_are_those_that_there_are(self, desk):
        said = " ".join(desk("ballot", "open", "--help").stdout.replace("│", " ").split())
        assert all(rule in said for rule in RULES)

    def test_a_ballot_that_is_left_goes_on(self, desk):
        desk.signals.left = 1
        result = desk(*ASK, "--voters", "ada,bob", "--name", "b1")
        assert result.exit_code == 130
        assert "goes on: `flotilla ballot show b1`" in result.stderr

    def test_one_that_is_left_while_the_broker_is_away_is_not_said_to_go_on(self, desk):
        def looks():
            while True:
                if len(desk.log.facts) == 1 and not desk.signals.left:
                    desk.signals.interrupt()
                yield False

        desk.is_connected = looks()
        desk.with_outside(gone_s=0.0)
        result = desk(*ASK, "--voters", "ada,bob", "--name", "b1", "--nats", "nats://there:4222")
        assert result.exit_code == 130
        assert "the broker does not answer: what is shown may be old" in result.stderr
        assert "once it does: `flotilla ballot show b1 --nats nats://there:4222`" in result.stderr
        assert "goes on" not in result.stderr

    def test_nobody_who_asks_the_voters_is_told_after_a_while(self, desk):
        later = desk.log
        desk.with_outside(now=lambda: later.facts[-1].at + timedelta(seconds=9))
        desk.signals.left = 0
        desk.fleet.when_up = lambda: None

        async def interrupted() -> bool:
            import asyncio

            await asyncio.sleep(0.1)
            return False

        desk.signals.next = interrupted
        result = desk(*ASK, "--voters", "2", "--name", "b1", "--nats", "nats://there:4222")
        assert "no worker has asked the voters yet" in result.stdout
