"""`flotilla ballot`: questions put to voters. Opening, looking, voting, and saying what came of it."""

import typer

from workers.cli import ballotoptions as typed
from workers.cli.loops import go
from workers.cli.options import BudgetTokens, Json, Nats, Tenant
from workers.cli.outside import outside_of


def group() -> typer.Typer:
    """The commands on ballots."""
    app = typer.Typer(help="Put a question to voters, vote, and see what was decided.", no_args_is_help=True)
    app.command(name="open")(open_ballot)
    app.command()(show)
    app.command()(vote)
    app.command()(outcome)
    return app


def open_ballot(
    context: typer.Context, question: typed.Question, options: typed.Options, rule: typed.Rule = "majority",
    voters: typed.Voters = "", panel: typed.Panel = "", model: typed.Targets = "", quorum: typed.Quorum = None,
    deadline: typed.Deadline = "", status_quo: typed.StatusQuo = "", tie: typed.Tie = "",
    no_quorum: typed.NoQuorum = "", extension: typed.Extension = "", default: typed.Default = "",
    threshold: typed.Threshold = "", vetoers: typed.Vetoers = "", ahead_by: typed.AheadBy = None,
    error_rate: typed.ErrorRate = None, accuracy: typed.Accuracy = None, score_max: typed.ScoreMax = None,
    wave: typed.Wave = None, distinct_families: typed.Families = False, signed: typed.Signed = False,
    keys: typed.Keys = "", background: typed.Context = "", option: typed.Texts = None, name: typed.Name = "",
    run: typed.InRun = "", wait: typed.Wait = True, budget: typed.Budget = "", budget_tokens: BudgetTokens = "",
    tenant: Tenant = "", json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Put a question to voters: N personas of the fleet, or people and programs that vote by themselves."""
    from workers.cli.amounts import budget_typed  # noqa: PLC0415
    from workers.cli.asking import Asked  # noqa: PLC0415 - only commands on ballots need what counts votes
    from workers.cli.opening import context_typed, open_it, texts_typed, voting  # noqa: PLC0415

    outside = outside_of(context)
    asked = Asked(
        name=name or outside.new_id(), question=question, options=options,
        voting=voting(outside.settings(), voters, panel, model, distinct_families),
        rule=rule, quorum=quorum, deadline=deadline, status_quo=status_quo, tie=tie, no_quorum=no_quorum,
        extension=extension, default=default, threshold=threshold, vetoers=vetoers, ahead_by=ahead_by,
        error_rate=error_rate, accuracy=accuracy, score_max=score_max, wave=wave,
        distinct_families=distinct_families, signed=signed, keys=keys, context=context_typed(background),
        texts=texts_typed(option or []), budget=budget_typed(budget, budget_tokens),
    )  # fmt: skip
    raise typer.Exit(go(open_it(outside, asked, run, wait, tenant, json, nats)))


def show(
    context: typer.Context, ballot: typed.BallotName, run: typed.OfRun = "", tenant: Tenant = "", json: Json = False,
    nats: Nats = "",
) -> None:  # fmt: skip
    """Show BALLOT: what is asked, who voted how, how it stands, and whether the decision is the same counted again."""
    from workers.cli.balloting import show_it  # noqa: PLC0415 - as above

    go(show_it(outside_of(context), ballot, run, tenant, json, nats))


def vote(
    context: typer.Context, ballot: typed.BallotName, voter: typed.Voter, choice: typed.Choice = "",
    approve: typed.Approve = "", rank: typed.Rank = "", score: typed.Score = "", abstain: typed.Abstain = False,
    because: typed.Because = "", rationale: typed.Rationale = "", key_file: typed.KeyFile = None,
    run: typed.OfRun = "", tenant: Tenant = "", json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Vote on BALLOT. The first vote of a voter counts, and there is no second one."""
    from workers.cli.balloting import vote_on  # noqa: PLC0415 - as above
    from workers.cli.voting import Answered, answer_typed  # noqa: PLC0415

    answered: Answered = answer_typed(voter, choice, approve, rank, score, abstain, because, rationale, key_file)
    go(vote_on(outside_of(context), ballot, answered, run, tenant, json, nats))


def outcome(
    context: typer.Context, ballot: typed.BallotName, right: typed.Right = "", wrong: typed.Wrong = "",
    reason: typed.OutcomeReason = "", evidence: typed.Evidence = "", run: typed.OfRun = "", tenant: Tenant = "",
    json: Json = False, nats: Nats = "",
) -> None:  # fmt: skip
    """Say what the decision of BALLOT turned out to be worth; `flotilla voters` learns from it."""
    from workers.cli.balloting import say_outcome  # noqa: PLC0415 - as above

    go(say_outcome(outside_of(context), ballot, right, wrong, (reason, evidence), run, tenant, json, nats))
