"""Reports as pytest writes them, and as it never would."""

import os

import pytest

from workers.sandbox.results import Case, UnreadableResult, foreign_cases, junit_cases, line_coverage, read_result


def report(*cases: str) -> bytes:
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{head}<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>".encode()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.symlink_to("/etc/hosts"),
        os.mkfifo,
        lambda path: path.mkdir(),
        lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 9 << 20),
        lambda path: (path.with_name("other").touch(), path.hardlink_to(path.with_name("other"))),
        lambda path: None,
    ],
    ids=["link", "pipe", "folder", "too large", "hard link", "nothing"],
)
def test_what_is_not_a_plain_file_is_not_read(tmp_path, make):
    make(tmp_path / "report")
    with pytest.raises(UnreadableResult):
        read_result(tmp_path, "report")


def test_a_plain_file_is_read(tmp_path):
    (tmp_path / "report").write_bytes(b"x" * (3 << 20))
    assert len(read_result(tmp_path, "report")) == 3 << 20


def test_each_case_has_its_outcome_and_message():
    passed = '<testcase classname="tests.a" name="one"/>'
    failed = '<testcase classname="tests.a" name="two"><failure message="assert 1">line &lt;3&gt;</failure></testcase>'
    skipped = '<testcase classname="tests.a" name="three"><skipped message="later"/></testcase>'
    assert junit_cases(report(passed, failed, skipped)) == (
        Case("tests.a::one"),
        Case("tests.a::two", "failed", "assert 1\nline <3>"),
        Case("tests.a::three", "skipped", "later"),
    )


def test_an_error_in_the_teardown_makes_a_case_red():
    test = '<testcase classname="a" name="t"/>'
    teardown = '<testcase classname="a" name="t"><error message="teardown"/></testcase>'
    for order in ((test, teardown), (teardown, test)):
        assert [case.outcome for case in junit_cases(report(*order))] == ["failed"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not xml",
        b"<testsuites>",
        b'<!DOCTYPE x><testsuites/>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuites>&a;</testsuites>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><testsuites/>'.encode("utf-16"),
    ],
)  # fmt: skip
def test_what_pytest_would_not_write_is_not_read(text):
    with pytest.raises(UnreadableResult):
        junit_cases(text)


def test_a_report_of_too_many_cases_is_not_read():
    with pytest.raises(UnreadableResult, match="20000"):
        junit_cases(report(*(f'<testcase classname="a" name="{n}"/>' for n in range(20_001))))


def test_a_long_message_keeps_its_end():
    case = f'<testcase classname="a" name="t"><failure message="">{"x" * 9000}the end</failure></testcase>'
    (only,) = junit_cases(report(case))
    assert len(only.message) == 4000
    assert only.message.endswith("the end")


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        (b'{"totals": {"percent_covered": 91.237}}', 91.24),
        (b'{"totals": {}}', None),
        (b"[]", None),
        (b"", None),
        (b'{"totals": {"percent_covered": 1e999}}', None),
        (b'{"totals": {"percent_covered": NaN}}', None),
        (b"[" * 100_000, None),
    ],
)
def test_coverage_is_a_percentage_or_nothing(text, percent):
    assert line_coverage(text) == percent


def test_a_case_belongs_to_a_file_of_the_project():
    cases = [Case("tests.test_a::t"), Case("tests.test_a.TestB::t"), Case("tests.test_abc::t"), Case("x::t", "failed")]
    assert foreign_cases(cases, ["tests/test_a.py", "README.md"]) == ("tests.test_abc::t",)
