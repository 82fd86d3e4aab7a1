"""The net under the other workers: what the broker says was given up is buried once and fails its attempt."""

from nats.js import api

from contracts.v1.tasks import TaskPerformed

TENANT = "acme"


async def rude(ward, role="step"):
    """Take a task as a client in any language may, and give it up without a word."""
    subscription = await ward.bus.js.pull_subscribe_bind(role, "LOG")
    (msg,) = await subscription.fetch(1, 5)
    await msg.term()
    await ward.bus.nc.flush()


async def test_a_task_that_a_client_gave_up_without_a_word_is_buried_and_its_attempt_fails(ward):
    await ward.provision("step")
    await ward.dead_letters()
    await ward.say(ward.task("step", "r1"))
    await rude(ward)
    failure = await ward.fact("r1", "failure.t.1")
    assert (failure.error, failure.retry, failure.role) == ("crashed", True, "step")
    assert "worker step gave it up after 1 deliveries" in failure.reason
    (letter,) = await ward.letters(1)
    assert (letter.subject, letter.stream, letter.sequence) == ("flotilla.acme.r1.task.step.t.1", "LOG", 1)
    await ward.settled("dead_letters", "ADVISORIES")


async def test_the_run_of_a_task_that_was_given_up_goes_on_with_another_attempt(ward):
    await ward.provision("step")
    await ward.dead_letters()
    await ward.orchestrator(["step"])
    await ward.say(ward.request("r1", "step"))
    await ward.fact("r1", "task.step.t0.1")
    await rude(ward)
    await ward.role("step")
    assert (await ward.closed("r1")).status == "completed"
    assert "task.step.t0.2" in await ward.names("r1")


async def test_what_a_worker_buried_itself_is_not_buried_again(ward):
    await ward.provision("step")
    await ward.role("step")
    await ward.dead_letters()
    await ward.publish("acme.r1.task.step.t.1", b"junk")
    await ward.fact("r1", "failure.t.1")

    async def told():
        return (await ward.bus.js.consumer_info("ADVISORIES", "dead_letters")).ack_floor.stream_seq == 1

    await ward.until(told, "the advisory is handled")
    assert [letter.worker for letter in await ward.letters(1)] == ["step"]
    assert (await ward.fact("r1", "failure.t.1")).error == "impossible"


async def test_a_task_that_was_given_up_after_its_result_does_not_fail(ward):
    await ward.provision("step")
    await ward.say(ward.task("step", "r1"), TaskPerformed(tenant=TENANT, run="r1", task="t"))
    await ward.dead_letters()
    await rude(ward)
    await ward.letters(1)
    await ward.settled("dead_letters", "ADVISORIES")
    assert await ward.names("r1") == ["task.step.t.1", "result.t"]


async def test_a_fact_that_was_given_up_is_buried_and_fails_nothing(ward):
    await ward.dead_letters()
    await ward.say(TaskPerformed(tenant=TENANT, run="r1", task="t"))
    await rude(ward, "orchestrator")
    (letter,) = await ward.letters(1)
    assert letter.subject == "flotilla.acme.r1.result.t"
    await ward.settled("dead_letters", "ADVISORIES")
    assert await ward.names("r1") == ["result.t"]


async def test_a_message_that_is_given_up_while_the_worker_is_away_is_buried_when_it_is_back(ward):
    await ward.provision("step")
    await ward.say(ward.task("step", "r1"))
    await rude(ward)
    await ward.dead_letters()
    assert (await ward.fact("r1", "failure.t.1")).error == "crashed"


async def test_a_consumer_of_somebody_else_that_gives_a_task_up_fails_no_attempt(ward):
    await ward.provision("step")
    await ward.dead_letters()
    await ward.bus.js.add_consumer(
        "LOG", api.ConsumerConfig(durable_name="audit", ack_policy=api.AckPolicy.EXPLICIT, filter_subject="flotilla.>")
    )
    await ward.say(ward.task("step", "r1"))
    await rude(ward, "audit")
    await ward.letters(1)
    await ward.settled("dead_letters", "ADVISORIES")
    assert await ward.names("r1") == ["task.step.t.1"]
