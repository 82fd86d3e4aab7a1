"""ls, show and fetch."""

import json

from contracts.v1.tasks import DesignSystem


class TestLs:
    def test_the_newest_run_comes_first_with_state_and_idea(self, desk, new_story):
        desk.tell(new_story("first", idea="Books").whole())
        desk.tell([new_story("second", idea="Bikes").request()])
        lines = desk("ls").stdout.splitlines()
        assert lines[0].split() == ["run", "state", "took", "idea"]
        assert lines[1].startswith("second")
        assert "running" in lines[1]
        assert "completed" in lines[2]
        assert lines[2].endswith("Books")

    def test_other_tenants_are_not_listed(self, desk, new_story):
        desk.tell([new_story("theirs", tenant="acme").request()])
        assert "theirs" not in desk("ls").output
        assert "theirs" in desk("ls", "--tenant", "acme").stdout

    def test_only_so_many_as_asked_for(self, desk, new_story):
        for number in range(5):
            desk.tell([new_story(f"r{number}").request()])
        assert len(desk("ls", "-n", "2").stdout.splitlines()) == 3

    def test_json_is_an_object_per_run(self, desk, story):
        desk.tell(story.whole())
        row = json.loads(desk("ls", "--json").stdout)
        assert (row["run"], row["state"], row["idea"]) == ("r1", "completed", story.idea)
        assert row["elapsed_s"] > 0

    def test_a_request_that_is_spoiled_is_listed_all_the_same(self, desk):
        desk.log.put("flotilla.default.odd.run.requested", b"not json")
        assert "(spoiled request)" in desk("ls").stdout

    def test_without_runs_it_says_how_to_start_one(self, desk):
        result = desk("ls")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "flotilla run IDEA" in result.stderr


class TestShow:
    def test_every_fact_has_a_line_in_order_of_the_log(self, desk, story):
        desk.tell(story.whole())
        lines = desk("show", "r1").stdout.splitlines()
        facts = lines[: len(story.whole())]
        assert [int(line.split()[0]) for line in facts] == sorted(int(line.split()[0]) for line in facts)
        assert facts[0].split()[1:4] == ["2026-03-01", "12:00:00.000", "run.requested"]
        assert "llm.plan.1.1" in lines[2]
        assert "builtin" in lines[2]
        assert any("green: 12 tests passed, coverage 94 % (landlock)" in line for line in facts)
        assert lines[len(facts)].startswith("run r1 completed in")

    def test_a_run_that_goes_on_says_so(self, desk, story):
        desk.tell([story.request()])
        assert desk("show", "r1").stdout.splitlines()[-1] == "run r1 running"

    def test_showing_a_failed_run_is_no_failure(self, desk, story):
        desk.tell([story.request(), *story.closing(status="failed", reason="why")])
        assert desk("show", "r1").exit_code == 0

    def test_json_has_the_whole_message(self, desk, story):
        desk.tell(story.whole())
        said = [json.loads(line) for line in desk("show", "r1", "--json").stdout.splitlines()]
        assert said[5]["name"] == "llm.design.1.1"
        assert said[5]["message"]["input_tokens"] == 100
        assert said[-1]["type"] == "summary"

    def test_every_kind_of_message_has_a_gist_that_does_not_raise(self, desk, story, whole_entries):
        desk.tell([entry.message for entry in whole_entries if entry.message])
        assert desk("show", "r1").exit_code == 0
        again = DesignSystem(**story.ids, task="design", role="architect", attempt=3, requirements=story.requirements)
        desk.tell([again])
        assert "design_system for architect, attempt 3" in desk("show", "r1").stdout


class TestFetch:
    def test_the_project_is_unpacked_after_it_was_verified(self, desk, story, tmp_path):
        desk.tell(story.whole())
        desk.keep(story.archive())
        result = desk("fetch", "r1", "--out", str(tmp_path / "out"))
        assert result.exit_code == 0, result.output
        assert (tmp_path / "out" / "README.md").read_bytes() == b"# Books\n"
        assert story.signer.public_key in result.stdout

    def test_a_changed_capsule_is_refused_and_nothing_is_written(self, desk, story, tmp_path):
        desk.tell(story.whole())
        desk.keep(story.archive())
        digest = next(iter(desk.artifacts.kept))
        desk.artifacts.kept[digest] = desk.artifacts.kept[digest][:-1] + b"x"
        result = desk("fetch", "r1", "--out", str(tmp_path / "out"))
        assert result.exit_code == 1
        assert "refused" in result.stderr
        assert not (tmp_path / "out").exists()

    def test_a_capsule_of_somebody_else_is_refused_when_the_key_is_named(self, desk, new_story, story, tmp_path):
        desk.tell(story.whole())
        desk.keep(story.archive())
        other = new_story().signer.public_key
        assert desk("fetch", "r1", "--out", str(tmp_path / "o"), "--trusted", other).exit_code == 1
        mine = story.signer.public_key
        assert desk("fetch", "r1", "--out", str(tmp_path / "o"), "--trusted", mine).exit_code == 0

    def test_a_capsule_that_another_run_made_is_refused(self, desk, new_story, tmp_path):
        told, meant = new_story("r1"), new_story("r2")
        capsule = meant.packing()[1].model_copy(update={"run": "r1"})
        desk.tell([told.request(), capsule, *told.closing(status="failed")])
        desk.keep(meant.archive())
        result = desk("fetch", "r1", "--out", str(tmp_path / "out"))
        assert result.exit_code == 1
        assert "made by run r2" in result.stderr

    def test_a_run_without_a_capsule_says_where_to_look(self, desk, story, tmp_path):
        desk.tell([story.request(), *story.closing(status="failed", reason="red")])
        result = desk("fetch", "r1", "--out", str(tmp_path / "out"))
        assert result.exit_code == 1
        assert "flotilla show r1" in result.stderr

    def test_a_run_that_goes_on_says_so(self, desk, story, tmp_path):
        desk.tell([story.request()])
        assert "not over yet" in desk("fetch", "r1", "--out", str(tmp_path / "out")).stderr

    def test_a_capsule_that_is_gone_from_the_artifacts_is_told(self, desk, story, tmp_path):
        desk.tell(story.whole())
        result = desk("fetch", "r1", "--out", str(tmp_path / "out"))
        assert result.exit_code == 1
        assert "is gone" in result.stderr

    def test_a_folder_with_something_in_it_is_left_alone(self, desk, story, tmp_path):
        (tmp_path / "mine.txt").write_text("keep")
        result = desk("fetch", "r1", "--out", str(tmp_path))
        assert result.exit_code == 2
        assert "not empty" in result.stderr
        assert desk.connected == []

    def test_out_is_needed(self, desk):
        assert desk("fetch", "r1").exit_code == 2
