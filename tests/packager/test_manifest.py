from workers.packager.manifest import manifest_of


def test_the_manifest_says_what_made_each_file(make_task):
    file = next(file for file in manifest_of(make_task()).files if file.path == "shelf/api.py")
    assert (file.task, file.attempt, file.journal) == ("build_api", 2, ("llm.build_api.2.1",))
    assert [(used.prompt, used.version) for used in file.prompts] == [("backend_developer/build", "3")]


def test_a_call_that_made_many_files_is_counted_once(make_task):
    manifest = manifest_of(make_task())
    assert (manifest.spent.calls, manifest.spent.input_tokens, manifest.spent.cost_usd) == (2, 200, 0.5)
    assert [(model.target, model.spent.calls) for model in manifest.models] == [("builtin", 2)]


def test_one_unknown_price_makes_the_whole_cost_unknown(make_task):
    task = make_task()
    priceless = task.calls[0].model_copy(update={"cost_usd": None, "target": "local"})
    manifest = manifest_of(task.model_copy(update={"calls": (priceless, *task.calls[1:])}))
    assert manifest.spent.cost_usd is None
    assert {model.target: model.spent.cost_usd for model in manifest.models} == {"builtin": 0.25, "local": None}


def test_the_manifest_carries_request_criteria_and_evidence(make_task):
    manifest = manifest_of(make_task())
    assert (manifest.format, manifest.idea, manifest.title, manifest.package) == (1, "a book shelf", "Shelf", "shelf")
    assert manifest.start == ("python", "-m", "shelf")
    assert [criterion.id for criterion in manifest.criteria] == ["AC-1"]
    assert (manifest.evidence.passed, manifest.evidence.tests, manifest.evidence.coverage) == (True, 12, 93.5)


def test_neither_the_packing_attempt_nor_the_time_tests_took_changes_the_manifest(make_task):
    task = make_task()
    slower = task.evidence.model_copy(update={"duration_s": 99.0, "output": "12 passed in 98.1s"})
    again = task.model_copy(update={"attempt": 2, "evidence": slower, "files": task.files[::-1]})
    assert manifest_of(again).to_bytes() == manifest_of(task).to_bytes()
