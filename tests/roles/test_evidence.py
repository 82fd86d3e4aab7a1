"""Evidence is shown without what differs each time it is gathered."""

from contracts.v1.projects import Evidence
from workers.roles.evidence import shown


def seen(took_s, token):
    took = f"{took_s:.2f}s (0:00:0{took_s:.0f})"
    output = f"... [100%]\nCoverage JSON written to file coverage-{token}.json\n28 passed in {took}\n"
    return Evidence(
        passed=True, tests=28, level="bubblewrap", duration_s=took_s, files_digest="0" * 64, output=output,
        junit=token[0] * 64,
    )  # fmt: skip


def test_the_same_project_gets_the_same_evidence_however_long_its_tests_took():
    assert shown(seen(2.67, "a1b2")) == shown(seen(3.0, "c3d4e5"))


def test_what_was_found_is_all_there():
    found = shown(seen(2.67, "a1b2"))
    assert (found["tests"], found["passed"], found["level"]) == (28, True, "bubblewrap")
    assert found["output"] == "... [100%]\nCoverage JSON written to file coverage.json\n28 passed in a while\n"
