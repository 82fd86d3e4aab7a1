"""TestsReply: acceptance tests from the criteria."""

from workers.llm.builtin.jobs.job import Brief, Reply
from workers.llm.builtin.project.criteria import untested
from workers.llm.builtin.project.testing import write_tests


def tests(brief: Brief) -> Reply:
    """Write the tests, and name the criteria that this model can't read."""
    plan = brief.blueprint()
    files = write_tests(plan)
    missing = untested(plan.requirements, "\n".join(files.values()))
    notes = f"No test was written for {', '.join(missing)}: the built-in model can't read them." if missing else ""
    return {"files": [{"path": path, "content": content} for path, content in files.items()], "notes": notes}
