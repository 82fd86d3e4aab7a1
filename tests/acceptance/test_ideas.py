"""Ideas of different shape become projects that stand on their own."""

import hashlib
import tomllib

import pytest

pytestmark = pytest.mark.slow

ROLES = {"project_manager", "architect", "backend_developer", "test_engineer", "reviewer", "sandbox", "packager"}


class TestEveryIdea:
    def test_its_run_completes_and_says_so(self, built, idea):
        made = built(idea)
        assert made.summary["status"] == "completed"
        assert made.summary["evidence"]["passed"] and made.summary["evidence"]["tests"] >= 20
        assert made.summary["evidence"]["level"] in ("landlock", "bubblewrap")
        assert {task["role"] for task in made.summary["tasks"]} == ROLES
        assert {task["state"] for task in made.summary["tasks"]} == {"done"}

    def test_its_own_tests_pass_outside_of_the_fleet(self, built, idea, tool, tmp_path):
        made = built(idea)
        ran = tool(made.folder, "pytest", "--cov", "-p", "no:cacheprovider", f"--junitxml={tmp_path / 'junit.xml'}")
        assert ran.returncode == 0, ran.stdout[-3_000:] + ran.stderr[-1_000:]
        said = (tmp_path / "junit.xml").read_text()
        assert f'tests="{made.manifest["evidence"]["tests"]}"' in said, "as many tests as the evidence tells of"

    def test_ruff_and_strict_mypy_find_nothing(self, built, idea, tool, tmp_path_factory):
        folder = built(idea).folder
        assert tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["mypy"]["strict"] is True
        linted = tool(folder, "ruff", "check", "--no-cache", ".")
        assert linted.returncode == 0, linted.stdout
        typed = tool(folder, "mypy", f"--cache-dir={tmp_path_factory.getbasetemp() / 'mypy'}")
        assert typed.returncode == 0, typed.stdout

    def test_its_manifest_says_truly_what_made_each_file(self, built, idea):
        made = built(idea)
        manifest, files = made.manifest, made.files
        assert [model["target"] for model in manifest["models"]] == ["builtin"]
        assert {file["path"]: file["sha256"] for file in manifest["files"]} == {
            path: hashlib.sha256(content).hexdigest() for path, content in files.items()
        }
        for file in manifest["files"]:
            assert f"result.{file['task']}" in made.facts, file
            assert file["journal"] and set(file["journal"]) <= set(made.facts), file
            entries = [made.facts[entry] for entry in file["journal"]]
            assert {(entry["task"], entry["attempt"]) for entry in entries} == {(file["task"], file["attempt"])}
            versions = {(entry["prompt"], entry["prompt_version"]) for entry in entries}
            assert {(prompt["prompt"], prompt["version"]) for prompt in file["prompts"]} == versions

    def test_its_manifest_sums_the_journal_and_shows_the_evidence_of_these_files(self, built, idea):
        made = built(idea)
        manifest = made.manifest
        calls = [message for name, message in made.facts.items() if name.startswith("llm.")]
        assert manifest["spent"]["calls"] == len(calls) == made.summary["spent"]["calls"]
        assert manifest["spent"]["input_tokens"] == sum(call["input_tokens"] for call in calls)
        evidence = made.summary["evidence"]
        shown = {name: manifest["evidence"][name] for name in ("passed", "tests", "failed", "coverage", "files_digest")}
        assert shown == {name: evidence[name] for name in shown}
        junit = (made.folder / ".flotilla" / "junit.xml").read_bytes()
        assert hashlib.sha256(junit).hexdigest() == manifest["evidence"]["junit"]

    def test_its_readme_tells_how_to_start_it(self, built, idea):
        made = built(idea)
        assert made.manifest["start"] == ["python", "-m", made.manifest["package"]]
        assert f"python -m {made.manifest['package']} --port" in (made.folder / "README.md").read_text()


def test_two_ideas_do_not_become_the_same_project(built):
    plants, library = built("plants"), built("library")
    assert plants.manifest["package"] != library.manifest["package"]
    assert {criterion["statement"] for criterion in plants.manifest["criteria"]} != {
        criterion["statement"] for criterion in library.manifest["criteria"]
    }
