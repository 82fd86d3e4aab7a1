"""The policy of a fleet, as its settings, its models file and its blueprint make it."""

from collections.abc import Iterator, Mapping

from workers.llm.catalogue import Catalogue
from workers.llm.targets import NoSuchTarget
from workers.orchestrator.blueprint import Blueprint
from workers.orchestrator.blueprint_file import BadBlueprint, read_blueprint
from workers.orchestrator.policy import Policy
from workers.prompting.templates import Prompts
from workers.runtime.bootstrap import catalogue_of
from workers.runtime.roster import briefs
from workers.runtime.settings import Settings


def policy_of(settings: Settings) -> Policy:
    """Limits, roles, ballots and families. Raises `BadModels` and `BadBlueprint`."""
    catalogue = catalogue_of(settings)
    blueprint = read_blueprint(settings.blueprint)
    if faults := [*_strangers(blueprint, catalogue), *_unknown_personas(blueprint, settings)]:
        raise BadBlueprint(str(settings.blueprint), faults)
    return Policy(
        roles=briefs(settings),
        run_deadline_s=settings.run_deadline_s,
        task_deadline_s=settings.task_deadline_s,
        max_attempts=settings.max_attempts,
        max_repairs=settings.max_repairs,
        max_tasks=settings.max_tasks,
        run_budget_usd=settings.run_budget_usd,
        run_budget_tokens=settings.run_budget_tokens,
        blueprint=blueprint,
        families=Families(catalogue, settings.model),
    )


class Families(Mapping[str, str]):
    """The family of every target that there is, ad hoc ones too; of a route it is that of its first target."""

    def __init__(self, catalogue: Catalogue, default: str) -> None:
        self._catalogue, self._default = catalogue, default

    def __getitem__(self, target: str) -> str:
        try:
            route = self._catalogue.route(target, self._default, "reviewer", "cast_vote")
            return self._catalogue.family_of(self._catalogue.target(route.targets[0]))
        except NoSuchTarget as error:
            raise KeyError(target) from error

    def __iter__(self) -> Iterator[str]:
        return iter(("", *self._catalogue.targets))

    def __len__(self) -> int:
        return 1 + len(self._catalogue.targets)


def _unknown_personas(blueprint: Blueprint, settings: Settings) -> Iterator[str]:
    """Personas of voters that nobody has written."""
    known = Prompts.load(settings.prompts_dir).personas("reviewer")
    for ballot, terms in blueprint.ballots:
        for place, voter in enumerate(terms.voters if terms else ()):
            if voter.persona not in known:
                there = f"there are {', '.join(sorted(known))}"
                own = f"or write reviewer/personas/{voter.persona}.md in the folder of FLOTILLA_PROMPTS_DIR"
                yield f"ballots.{ballot}.voters[{place}].persona: there is no persona {voter.persona!r}; {there}; {own}"


def _strangers(blueprint: Blueprint, catalogue: Catalogue) -> Iterator[str]:
    """Targets of voters that there are none of."""
    for ballot, terms in blueprint.ballots:
        for place, voter in enumerate(terms.voters if terms else ()):
            try:
                catalogue.route(voter.target, "builtin")
            except NoSuchTarget as error:
                yield f"ballots.{ballot}.voters[{place}].target: {error}"
