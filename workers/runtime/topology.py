"""Streams, consumers and buckets: declared here and nowhere else.

Workers bind to what exists. FastStream and nats-py must not create or update a stream as a side
effect: they would overwrite an administrator's settings with defaults of their own.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from contracts.prompt_facts import prompts_subject
from contracts.subjects import noun_filter
from workers.runtime.settings import Settings

LOG, TIMERS, DEAD, ADVISORIES, PROMPTS = "LOG", "TIMERS", "DEAD", "ADVISORIES", "PROMPTS"
AGENTS, BUDGETS, MODELS, ARTIFACTS = "agents", "budgets", "models", "artifacts"
ORCHESTRATOR, CONSENSUS = "orchestrator", "consensus"
TIMEKEEPER, DEAD_LETTERS, PROMPT_LAB = "timekeeper", "dead_letters", "prompt_lab"

SHORT_LEASE_S = 1.5
"""The lease of workers that a deadline waits for: what one held that was killed is with another in that time."""

DAY_S = 86_400.0


def timers_subject(settings: Settings, *tokens: str) -> str:
    """A subject of the stream `TIMERS`: `flotilla-timers.set.…` schedules, `flotilla-timers.due.…` fires."""
    return ".".join((f"{settings.prefix}-timers", *tokens))


def dead_subject(settings: Settings, *tokens: str) -> str:
    """A subject of the stream `DEAD`: `flotilla-dead.<worker>`."""
    return ".".join((f"{settings.prefix}-dead", *tokens))


def live_subject(settings: Settings, *tokens: str) -> str:
    """A subject of live output, which is not stored."""
    return ".".join((f"{settings.prefix}-live", *tokens))


def records_subject(settings: Settings, bucket: str) -> str:
    """Below it the broker repeats each record of a bucket once it is stored: `flotilla-records.<bucket>.<key>`."""
    return f"{settings.prefix}-records.{bucket}"


def prompts_said(prefix: str) -> str:
    """Where the broker repeats each fact about prompts once it is stored, without its payload."""
    return f"{prefix}-prompts-said.>"


def streams(settings: Settings) -> tuple[api.StreamConfig, ...]:
    """Every stream as it is wanted."""
    wanted = (_log(settings), _timers(settings), _dead(settings), _prompts(settings), _advisories())
    return tuple(config.evolve(**_shared(settings)) for config in wanted)


def _shared(settings: Settings) -> dict[str, Any]:
    return {
        "storage": api.StorageType.FILE,
        "num_replicas": settings.replicas,
        "compression": api.StoreCompression.S2,
    }


def _log(settings: Settings) -> api.StreamConfig:
    return api.StreamConfig(
        name=LOG,
        description="every fact of every run, each under a name that is accepted once",
        subjects=[f"{settings.prefix}.>"],
        max_msgs_per_subject=1,
        discard=api.DiscardPolicy.NEW,
        discard_new_per_subject=True,
        allow_direct=True,
        max_age=settings.log_max_age_days * DAY_S,
        max_bytes=settings.log_max_bytes,
        duplicate_window=0,
    )


def _timers(settings: Settings) -> api.StreamConfig:
    return api.StreamConfig(
        name=TIMERS,
        description="deadlines: message schedules, and those that have fired",
        subjects=[timers_subject(settings, ">")],
        max_msgs_per_subject=1,
        discard=api.DiscardPolicy.OLD,
        retention=api.RetentionPolicy.WORK_QUEUE,
        allow_msg_schedules=True,
        max_age=31 * DAY_S,
    )


def _dead(settings: Settings) -> api.StreamConfig:
    return api.StreamConfig(
        name=DEAD,
        description="what could not be handled, with the reason",
        subjects=[dead_subject(settings, ">")],
        allow_direct=True,
        max_age=30 * DAY_S,
        max_bytes=1024**3,
    )


def _prompts(settings: Settings) -> api.StreamConfig:
    """Write-once as the log, and kept for ever: what an experiment has proved must not age."""
    subjects = prompts_subject(settings.prefix, ">")
    return api.StreamConfig(
        name=PROMPTS,
        description="versions of prompts, their labels, experiments and outcomes",
        subjects=[subjects],
        max_msgs_per_subject=1,
        discard=api.DiscardPolicy.NEW,
        discard_new_per_subject=True,
        allow_direct=True,
        max_bytes=1024**3,
        duplicate_window=0,
        republish=api.RePublish(src=subjects, dest=prompts_said(settings.prefix), headers_only=True),
    )


def _advisories() -> api.StreamConfig:
    kinds = ("MAX_DELIVERIES", "MSG_TERMINATED")
    return api.StreamConfig(
        name=ADVISORIES,
        description="the broker's word on messages that were given up",
        subjects=[f"$JS.EVENT.ADVISORY.CONSUMER.{kind}.{LOG}.*" for kind in kinds],
        max_age=7 * DAY_S,
        max_bytes=100 * 1024**2,
    )


def orchestrator_filters(prefix: str) -> list[str]:
    """What the orchestrator is handed: everything that can change what a run calls for."""
    nouns = ("run.requested", "run.cancel", "result", "failure", "decision", "approval", "timer", "wait")
    return [noun_filter(noun, prefix=prefix) for noun in nouns]


def consensus_filters(prefix: str) -> list[str]:
    """What the consensus worker is handed: everything that can change how a ballot stands."""
    return [noun_filter(noun, prefix=prefix) for noun in ("ballot", "vote", "timer", "failure")]


def prompt_lab_filters(prefix: str) -> list[str]:
    """What the prompt lab is handed: its own tasks, the ends of runs and ballots, and deadlines."""
    tasks = noun_filter("task", PROMPT_LAB, prefix=prefix)
    return [tasks, *(noun_filter(noun, prefix=prefix) for noun in ("run.closed", "decision", "timer"))]


def lease_s(settings: Settings, consumer: str) -> float:
    """How long a delivery of that consumer is held without a heartbeat, in seconds."""
    return min(settings.lease_s, SHORT_LEASE_S) if consumer in (CONSENSUS, TIMEKEEPER) else settings.lease_s


def consumers(settings: Settings, roles: Iterable[str]) -> tuple[tuple[str, api.ConsumerConfig], ...]:
    """(stream, consumer) as wanted. The lease is short; heartbeats keep it; the delivery limit is the worker's."""
    leased = api.ConsumerConfig(
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=settings.lease_s,
        max_deliver=-1,
        max_ack_pending=20_000,
        max_waiting=512,
    )
    of_roles = [
        (LOG, replace(leased, durable_name=role, filter_subject=noun_filter("task", role, prefix=settings.prefix)))
        for role in sorted({*roles, *settings.extra_roles} - {PROMPT_LAB})
    ]
    return (
        (LOG, replace(leased, durable_name=ORCHESTRATOR, filter_subjects=orchestrator_filters(settings.prefix))),
        (LOG, _short(leased, settings, CONSENSUS, filter_subjects=consensus_filters(settings.prefix))),
        (LOG, replace(leased, durable_name=PROMPT_LAB, filter_subjects=prompt_lab_filters(settings.prefix))),
        *of_roles,
        (TIMERS, _short(leased, settings, TIMEKEEPER, filter_subject=timers_subject(settings, "due", ">"))),
        (ADVISORIES, replace(leased, durable_name=DEAD_LETTERS)),
    )


def _short(leased: api.ConsumerConfig, settings: Settings, name: str, **filters: Any) -> api.ConsumerConfig:
    return replace(leased, durable_name=name, ack_wait=lease_s(settings, name), **filters)


async def provision(js: JetStreamContext, settings: Settings, roles: Iterable[str]) -> tuple[str, ...]:
    """Bring streams, buckets and consumers to the wanted state; returns a line for each.

    A stream or consumer that stands is updated, never deleted; it keeps its messages.
    """
    said = [await _stream(js, config) for config in streams(settings)]
    said.append(await _key_value(js, settings, AGENTS, ttl=60.0))
    said.append(await _records(js, settings, BUDGETS, max_age=settings.log_max_age_days * DAY_S))
    said.append(await _records(js, settings, MODELS, max_age=DAY_S))
    said.append(await _object_store(js, settings))
    said += [await _consumer(js, stream, config) for stream, config in consumers(settings, roles)]
    return tuple(said)


async def _stream(js: JetStreamContext, wanted: api.StreamConfig) -> str:
    try:
        await js.stream_info(str(wanted.name))
    except NotFoundError:
        await js.add_stream(wanted)
        return f"stream {wanted.name}: made"
    await js.update_stream(wanted)
    return f"stream {wanted.name}: as wanted"


async def _key_value(js: JetStreamContext, settings: Settings, bucket: str, ttl: float | None) -> str:
    try:
        await js.stream_info(f"KV_{bucket}")
    except NotFoundError:
        await js.create_key_value(
            api.KeyValueConfig(bucket=bucket, ttl=ttl, replicas=settings.replicas, storage=api.StorageType.FILE)
        )
        return f"bucket {bucket}: made"
    await _replicate(js, f"KV_{bucket}", settings)
    return f"bucket {bucket}: as wanted"


async def _records(js: JetStreamContext, settings: Settings, bucket: str, max_age: float) -> str:
    """A bucket of shared records. Only what is stored is repeated; the bucket's own subject has refused writes too."""
    said = await _key_value(js, settings, bucket, ttl=max_age)
    repeated = api.RePublish(src=f"$KV.{bucket}.>", dest=f"{records_subject(settings, bucket)}.>")
    found = (await js.stream_info(f"KV_{bucket}")).config
    wanted = found.evolve(max_age=max_age, max_msgs_per_subject=1, allow_direct=True, republish=repeated)
    if wanted != found:
        await js.update_stream(wanted)
    return said


async def _object_store(js: JetStreamContext, settings: Settings) -> str:
    try:
        await js.stream_info(f"OBJ_{ARTIFACTS}")
    except NotFoundError:
        await js.create_object_store(
            ARTIFACTS, api.ObjectStoreConfig(bucket=ARTIFACTS, replicas=settings.replicas, storage=api.StorageType.FILE)
        )
        return f"object store {ARTIFACTS}: made"
    await _replicate(js, f"OBJ_{ARTIFACTS}", settings)
    return f"object store {ARTIFACTS}: as wanted"


async def _replicate(js: JetStreamContext, stream: str, settings: Settings) -> None:
    """Bring the number of a bucket's copies to the wanted one; the rest of it is nats-py's own."""
    found = (await js.stream_info(stream)).config
    if found.num_replicas != settings.replicas:
        await js.update_stream(found, num_replicas=settings.replicas)


async def _consumer(js: JetStreamContext, stream: str, wanted: api.ConsumerConfig) -> str:
    try:
        await js.consumer_info(stream, str(wanted.durable_name))
    except NotFoundError:
        await js.add_consumer(stream, wanted)
        return f"consumer {wanted.durable_name} of {stream}: made"
    await js.add_consumer(stream, wanted)
    return f"consumer {wanted.durable_name} of {stream}: as wanted"
