"""DesignReply: modules, endpoints, tables and decisions."""

from workers.llm.builtin.jobs.job import Brief, Reply
from workers.llm.builtin.project.endpoints import endpoints
from workers.llm.builtin.project.modules import CUTS, DECISIONS, modules, summary
from workers.llm.builtin.project.tables import tables


def design(brief: Brief) -> Reply:
    """Design a package of the standard library for the requirements. Of several designs three differ in their cut."""
    plan = brief.blueprint()
    alternative = (brief.data.get("alternative") or {}).get("number", 0)
    decisions = [CUTS[alternative], *DECISIONS] if alternative in CUTS else DECISIONS
    return {
        "summary": summary(plan),
        "modules": [module.model_dump(mode="json") for module in modules(plan, alternative)],
        "endpoints": [endpoint.model_dump(mode="json") for endpoint in endpoints(plan)],
        "tables": [table.model_dump(mode="json") for table in tables(plan)],
        "decisions": [{"decision": decision, "reason": reason} for decision, reason in decisions],
        "start": ["python", "-m", plan.package],
    }
