"""Roles: a name, a purpose, and a job for each command."""

import pytest

from contracts.v1.tasks import PerformTask, PlanProject
from workers.runtime.errors import Impossible
from workers.runtime.role import Job, Role


async def nothing(task, tools):
    raise AssertionError("never called")


def test_a_role_finds_the_job_for_a_command(task):
    job = Job(PerformTask, nothing)
    assert Role("poet", "Writes poems.", (job,)).job_for(task) is job


def test_a_command_that_the_role_does_not_take_is_impossible(task):
    with pytest.raises(Impossible, match="role poet can't do a PerformTask; it takes PlanProject"):
        Role("poet", "Writes poems.", (Job(PlanProject, nothing),)).job_for(task)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "*"])
def test_the_name_of_a_role_is_a_subject_token(name):
    with pytest.raises(ValueError, match="must be 1 to 64"):
        Role(name, "", (Job(PerformTask, nothing),))


def test_a_role_has_jobs_and_one_for_each_command():
    with pytest.raises(ValueError, match="one job or more"):
        Role("poet", "", ())
    with pytest.raises(ValueError, match="each for a command of its own"):
        Role("poet", "", (Job(PerformTask, nothing), Job(PerformTask, nothing)))
