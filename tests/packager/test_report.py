"""The report that is packed: the tests and their ends, and nothing that differs from run to run."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.packager.capsule import CapsuleRefused
from workers.packager.report import lasting_report

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="1" tests="2" time="{time}"
timestamp="{at}" hostname="{host}"><properties><property name="seed" value="{time}"/></properties>
<testcase classname="tests.test_api" name="test_list[a&amp;b]" time="{time}" />
<testcase classname="tests.test_api" name="test_later" time="{time}"><skipped type="pytest.skip"
message="not &quot;yet&quot;">
/cell/{host}/tests/test_api.py:3: not yet</skipped><system-out>took {time}</system-out></testcase>
</testsuite></testsuites>"""

LASTING = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests">
 <testsuite name="pytest" tests="2" failures="0" errors="0" skipped="1">
  <testcase name="test_list[a&amp;b]" classname="tests.test_api"/>
  <testcase name="test_later" classname="tests.test_api">
   <skipped type="pytest.skip" message='not "yet"'/>
  </testcase>
 </testsuite>
</testsuites>
"""


def report(time="0.31", at="2026-03-01T12:00:00.000001+00:00", host="ada"):
    return REPORT.format(time=time, at=at, host=host).encode()


def test_tests_and_their_ends_are_kept_without_times_hosts_and_output():
    assert lasting_report(report()).decode() == LASTING


def test_two_runs_of_the_same_tests_give_the_same_bytes():
    assert lasting_report(report("12.9", "2027-01-01T00:00:00", "eve")) == lasting_report(report())


def test_a_lasting_report_stays_as_it_is():
    assert lasting_report(LASTING.encode()) == LASTING.encode()


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="￾￿")))
def test_any_name_of_a_test_is_kept(name):
    suites = ET.Element("testsuites")
    ET.SubElement(suites, "testcase", name=name)
    assert ET.fromstring(lasting_report(ET.tostring(suites, encoding="utf-8")))[0].get("name") == name


def test_a_report_as_deep_as_anybody_likes_is_read():
    deep = b"<testsuites>" + b"<testsuite>" * 5_000 + b"</testsuite>" * 5_000 + b"</testsuites>"
    assert lasting_report(deep).count(b"<testsuite/>") == 1


@pytest.mark.parametrize(
    ("junit", "why"),
    [
        (b"", "no XML"),
        (b"<testsuites>", "no XML"),
        (b'<!DOCTYPE t [<!ENTITY a "b">]><testsuites/>', "document type"),
        (b"<html><testsuite/><testsuite/></html>", "begins with <html>"),
    ],
)
def test_what_is_no_report_is_refused(junit, why):
    with pytest.raises(CapsuleRefused, match=rf"evidence/junit\.xml.*{why}"):
        lasting_report(junit)
