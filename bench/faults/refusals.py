"""The case of topics that would lose what waits: a worker refuses to start, and names the setting (RELIABILITY §7 C7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.faults.case import Case, Finding, Scale
from bench.faults.ground import TIERS, Ground
from bench.faults.shown import found
from bench.report import Shown
from streamer.adapters.kafka.topics import create_missing
from streamer.wire.topics import Topics, TopicSpec
from tests.support.broker import delete_topics
from tests.support.installation import Installation
from tests.support.worker import worker_process


@dataclass(frozen=True, slots=True)
class Flaw:
    """A setting of one topic that loses records; on a full ladder of flaws each is tried alone."""

    topic: str
    setting: str
    value: str
    #: Whether a short run tries it too.
    short: bool = False


def flaws(topics: Topics) -> list[Flaw]:
    """Return what is tried: the topics' own names are known only where they are."""
    longest = topics.retries["30s"]
    made = [
        Flaw(longest, "retention.ms", "20000", short=True),
        Flaw(longest, "cleanup.policy", "compact,delete", short=True),
        Flaw(topics.tasks_changelog, "cleanup.policy", "compact,delete", short=True),
        Flaw(longest, "retention.bytes", "1000000", short=True),
        Flaw(longest, "cleanup.policy", "compact"),
        Flaw(topics.tasks_changelog, "cleanup.policy", "delete"),
        Flaw(topics.config, "cleanup.policy", "delete"),
        Flaw(longest, "max.message.bytes", "1000"),
        Flaw(topics.requests, "retention.ms", "60000"),
        Flaw(topics.results, "retention.ms", "60000"),
        Flaw(topics.dead_letter, "cleanup.policy", "compact"),
    ]
    return [*made, *[Flaw(topic, "retention.ms", "900") for topic in topics.retries.values()]]


async def retention(ground: Ground, scale: Scale) -> Finding:
    """Start a worker on topics of which one has a flaw, one flaw after the other; then on topics without any."""
    tried = [flaw for flaw in flaws(_place(ground, "plain").topics) if flaw.short or scale is Scale.FULL]
    shown = [await _refused(ground, f"flawed{number}", flaw) for number, flaw in enumerate(tried)]
    good = sum(bool(line.holds) for line in shown)
    async with ground.installation({}, 2) as place, worker_process(place) as worker:
        await worker.ready()
    told = [f"{good} of {len(tried)} flaws refused by name of topic and setting", "without one it starts"]
    return found(told, shown, {"flaws": len(tried), "refused": good}, applied=True)


def _place(ground: Ground, name: str) -> Installation:
    directory = ground.directory / name
    directory.mkdir()
    return Installation(ground.broker.bootstrap, f"{name}.", directory, 2, TIERS).write_settings()


async def _refused(ground: Ground, name: str, flaw: Flaw) -> Shown:
    """Make topics of which one has the flaw; tell whether a worker refuses to start, and names it and no other."""
    place = _place(ground, name)
    flawed = f"{name}.{flaw.topic.partition('.')[2]}"
    changed = {flaw.setting: flaw.value}
    specs = [_with(spec, changed) if spec.name == flawed else spec for spec in place.topics.specs()]
    names = await create_missing(place.bootstrap, specs)
    try:
        run = await place.run("worker")
    finally:
        await delete_topics(place.bootstrap, names)
    alone = {topic for topic in names if f"topic {topic}:" in run.err} == {flawed}
    named = f"topic {flawed}: {flaw.setting} is {flaw.value}, must be " in run.err
    return Shown(f"{flawed} with {flaw.setting}={flaw.value}: exit {run.code}", run.code == 1 and named and alone)


def _with(spec: TopicSpec, changed: Mapping[str, str]) -> TopicSpec:
    return replace(spec, extra={**spec.extra, **changed})


REFUSALS = (
    Case(
        "C7",
        "topics that are kept too briefly, or compacted, or not",
        "start refused, topic and setting named",
        retention,
    ),
)
