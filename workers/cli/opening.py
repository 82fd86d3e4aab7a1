"""`flotilla ballot open`: from what was typed to a ballot in the log, and to its decision."""

from pathlib import Path

from contracts.v1.ballots import BallotOpened
from contracts.v1.tasks import Task
from workers.cli.asking import Asked, ballot_typed, pairs_typed
from workers.cli.awaiting import awaited
from workers.cli.ballotwords import of_run
from workers.cli.complaints import Complaint, Misused
from workers.cli.figures import plain, short
from workers.cli.gist import gist_of
from workers.cli.outside import Outside, note, say
from workers.cli.own_fleet import fleet_for
from workers.cli.panels import FamilyOf, Voting, in_words, names_typed, voting_typed
from workers.cli.sessions import Session, checked_ballot, checked_run, checked_tenant, session
from workers.cli.view import view_of
from workers.cli.voting import way_to_vote
from workers.consensus.learned import Learned
from workers.consensus.outcomes import Known
from workers.llm.catalogue import BadModels, Catalogue
from workers.llm.targets import NoSuchTarget
from workers.prompting.errors import PromptError
from workers.prompting.templates import Prompts
from workers.runtime.settings import Settings

LONGEST_FILE = 20_000


def voting(settings: Settings, voters: str, panel: str, model: str, distinct: bool) -> Voting:
    """Who may vote; the families of targets come from `models.yaml`."""
    try:
        personas = Prompts.load(settings.prompts_dir).personas("reviewer")
    except PromptError as error:
        raise Misused(f"{error} (`flotilla prompts lint` shows all that is wrong)") from None
    found = voting_typed(voters, panel, names_typed(model), _families(settings), personas)
    unknown = [one for one in found.panel if not one.family]
    if distinct and unknown:
        which = unknown[0].target or "the fleet's own choice"
        raise Misused(f"--distinct-families: the family of {short(which)} is not known here; name targets with --model")
    return found


def _families(settings: Settings) -> FamilyOf:
    try:
        catalogue = Catalogue.load(settings.models_file)
    except BadModels as error:
        raise Misused(str(error)) from None

    def family_of(target: str) -> str:
        try:
            return catalogue.family_of(catalogue.target(target)) if target else ""
        except NoSuchTarget:  # a route, or a target that only the fleet knows
            return ""

    return family_of


def context_typed(text: str) -> str:
    """The context itself; `@FILE` is that file's text."""
    return _text("--context", text.removeprefix("@")) if text.startswith("@") else text


def texts_typed(parts: list[str]) -> dict[str, str]:
    """The texts of options by name, from `NAME=FILE`."""
    pairs = pairs_typed("--option", parts)
    return {name: _text("--option", file) for name, file in pairs.items()}


def _text(said: str, file: str) -> str:
    if not file:
        raise Misused(f"{said} @: name the file, as in @notes.md")
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise Misused(f"{said}: {short(file)} can't be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise Misused(f"{said}: {short(file)} is not UTF-8") from None
    if len(text) > LONGEST_FILE:
        raise Misused(f"{said}: {short(file)} has {len(text):,} characters; voters are shown at most {LONGEST_FILE:,}")
    return text


async def open_it(outside: Outside, asked: Asked, run: str, wait: bool, tenant: str, json: bool, nats: str) -> int:
    """Open the ballot, and wait for its decision unless nobody wants to; returns the exit code."""
    whose = checked_tenant(tenant or outside.settings().tenant)
    ballot = ballot_typed(asked, whose, checked_run(run) if run else checked_ballot(asked.name))
    by_itself = len(asked.voting.panel) < len(asked.voting.electorate)
    if run or by_itself or not wait:
        async with session(outside, nats, whose) as opened:
            return await _opened(opened, await _final(opened, ballot, bool(run)), wait, json)
    async with fleet_for(outside, nats, whose, "ballot") as (opened, own_fleet):
        ballot = await _final(opened, ballot, False)
        await _open(opened, ballot)
        return await awaited(opened, ballot, json, own_fleet)


async def _opened(opened: Session, ballot: BallotOpened, wait: bool, json: bool) -> int:
    await _open(opened, ballot)
    if wait:
        return await awaited(opened, ballot, json)
    say(ballot.model_dump_json() if json else ballot.ballot)
    note(f"see it with `flotilla ballot show {ballot.ballot}{of_run(ballot)}{opened.options}`")
    return 0


async def _final(opened: Session, ballot: BallotOpened, in_run: bool) -> BallotOpened:
    """The ballot with what only the log knows: the run's budget, and what voters' weights are by now."""
    more: dict[str, object] = {}
    if in_run:
        entries = await opened.entries(ballot.run)
        if (view := view_of(entries)).is_over:
            raise Complaint(f"run {ballot.run} is over already ({view.state}); open the ballot without --run")
        commands = [entry.message for entry in entries if isinstance(entry.message, Task)]
        if commands and ballot.budget is None:
            more["budget"] = commands[-1].budget
    if ballot.rule == "weighted" or "weight" in ballot.tie_order:
        more["weights"] = (await known_voters(opened)).weights(ballot.electorate)
    return ballot.model_copy(update=more)


async def known_voters(opened: Session) -> Known:
    """What the tenant's outcomes say of its voters."""
    return await Learned(opened.bus.log, opened.settings.prefix).by_now(opened.tenant)


async def _open(opened: Session, ballot: BallotOpened) -> None:
    """Say it, unless it was said; complains when the log has another ballot of that name."""
    if not (await opened.bus.log.say(ballot)).news:
        stored = next((e for e in await opened.entries(ballot.run) if e.name == f"ballot.{ballot.ballot}"), None)
        if stored is None or not isinstance(stored.message, BallotOpened):
            why = plain(stored.spoiled) if stored else "it is gone"
            raise Misused(f"ballot {ballot.ballot} was opened already and can't be read: {why}; choose another --name")
        if stored.message != ballot:
            differs = [
                name for name in BallotOpened.model_fields if getattr(stored.message, name) != getattr(ballot, name)
            ]
            raise Misused(
                f"ballot {ballot.ballot} was opened already, with another {' and '.join(differs)}: "
                f"{short(gist_of(stored.message), 300)}; choose another --name"
            )
        note(f"ballot {ballot.ballot} was opened already, and it is the same")
        return
    note(f"ballot {ballot.ballot} is open: {in_words(Voting(ballot.electorate, ballot.panel))}")
    asked = {one.voter for one in ballot.panel}
    if alone := next((voter for voter in ballot.electorate if voter not in asked), None):
        where = f"{ballot.ballot}{of_run(ballot)}{opened.options}"
        note(f"they vote with `flotilla ballot vote {where} --as {alone} {way_to_vote(ballot)}`")
