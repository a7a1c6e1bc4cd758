"""The case of requests and answers as large as allowed: all that is derived from them must fit (RELIABILITY §7 C9)."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.faults.case import Case, Finding, Scale
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.faults.stage import Setting, Stage, stage
from bench.report import Shown
from streamer.adapters.demo.exchange import Answer, Arrival
from streamer.adapters.demo.server import Server
from streamer.core.delivery import Why
from streamer.wire.dead_letter_record import DeadLetter, decode_dead_letter
from tests.support.topic_log import topic_log

_BODY_BYTES = 1024 * 1024
#: As much of an answer as may be kept, all of it in bytes that take JSON the most room.
_SETTINGS: Mapping[str, str | int | float | bool] = {
    "http.max_response_bytes": 1024 * 1024,
    # The target fails always; its breaker would only put off what is looked at.
    "lanes.breaker.failures_in_row": 1_000,
    "lanes.breaker.least_calls": 1_000,
}
_HEADERS = {f"X-Large-{number}": "h" * 1000 for number in range(8)}
#: More than any topic takes: it is compressed on the way.
_PRODUCER_BYTES = 32 * 1024 * 1024
_WITHIN_S = 60.0
_INTERVALS = ("1s", "2s")


@dataclass(frozen=True, slots=True)
class Large:
    """One kind of request; ``kept`` tells whether it becomes a task, whose body is then the target's to the byte."""

    name: str
    fields: Mapping[str, Any]
    body: bytes = b""
    kept: bool = True


def larges(seed: int) -> list[Large]:
    """Return the requests: at the limit, in each form, and beyond it."""
    noise, controls = random.Random(seed).randbytes(_BODY_BYTES), b"\x01" * _BODY_BYTES
    wide = "\U0001f600" * (_BODY_BYTES // 4)
    return [
        Large("random bytes", {"body_base64": base64.b64encode(noise).decode()}, noise),
        # As text each would take six bytes: as such a request is beyond the limit, and whatever is derived from this one
        # must not be written so.
        Large("control characters", {"body_base64": base64.b64encode(controls).decode()}, controls),
        Large("control characters as text", {"body": controls.decode()}, kept=False),
        Large("quotes and line ends", {"body": '"\n' * (_BODY_BYTES // 2)}, b'"\n' * (_BODY_BYTES // 2)),
        Large("characters of four bytes", {"body": wide}, wide.encode()),
        Large("2 MB", {"body": "x" * 2_000_000}, kept=False),
        Large("8 MB, which only compressed fit their topic", {"body": "x" * 8_000_000}, kept=False),
    ]


async def oversized(ground: Ground, scale: Scale) -> Finding:
    """Let large tasks fail twice and for good at a target with large answers, and look at all that was derived."""
    rounds = 20 if scale is Scale.FULL else 2
    requests = [large for _ in range(rounds) for large in larges(ground.seed)]
    target = _Target()
    server = Server(target.respond)
    await server.start()
    try:
        async with stage(ground, Setting(1, workers=2, settings=_SETTINGS)) as made:
            tasks = await _publish(made, server.url, requests)
            await made.publish([{"url": made.url(0, "small")}])
            await made.results.until_ended(made.told, made.accepted, _WITHIN_S + 5 * rounds)  # type: ignore[arg-type]
            letters = await _letters(made)
            verdict = await made.ended(1)
    finally:
        await server.stop()
    wrong = [
        f"{large.name}: {problem}"
        for task, large in zip(tasks, requests, strict=True)
        for problem in _problems(large, made.told.items, task, letters.get(task), target)
    ]
    reasons = Counter(str(result["why"]["reason"]) for result in made.told.items if result["outcome"] == "deferred")
    strange = {reason: count for reason, count in reasons.items() if reason in (Why.FAULT, Why.PARKED)}
    unended = set(made.accepted.by_place.values()) - made.results.ended
    shown = [
        *[Shown(each, holds=False) for each in wrong[:10]],
        Shown(f"without an end: {len(unended)}", not unended),
        Shown(f"put off by a fault of ours: {strange}", not strange),
        Shown(f"ends {dict(verdict.ends)}", verdict.ends.get("succeeded") == 1),
        Shown(f"exit codes {list(made.exit_codes)}", not any(made.exit_codes)),
    ]
    told = [
        f"{len(requests)} large requests, {len(target.bodies)} calls of large tasks",
        *[each.text for each in shown[-4:]],
    ]
    return found(told, shown, {"wrong": wrong, "ends": dict(verdict.ends)}, applied=len(target.bodies) > 0)


class _Target:
    """Answers every call with 500 and as large an answer as is kept, and remembers the bodies by task."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self._answer = Answer(500, (*_HEADERS.items(), ("Content-Type", "text/plain")), b"\x01" * _BODY_BYTES)

    def respond(self, arrival: Arrival) -> Answer:
        self.bodies.append((arrival.header("webhook-id") or "", arrival.body))
        return self._answer


def _problems(
    large: Large, told: list[dict[str, Any]], task: str, letter: DeadLetter | None, target: _Target
) -> list[str]:
    """Return what is not as it must be of one task."""
    bodies = [body for of_task, body in target.bodies if of_task == task]
    attempts = [result["attempt"] for result in told if result["task_id"] == task and "started_at" in result]
    if not large.kept:
        facts = {
            f"{len(bodies)} calls": not bodies,
            f"dead letter {letter}": letter is not None and letter.kind == "record",
        }
    else:
        whole = letter is not None and letter.delivery is not None and letter.delivery.request.body == large.body
        facts = {
            f"attempts {attempts}, {len(bodies)} calls": attempts == [1, 2, 3] and len(bodies) == 3,
            "other bytes on the wire": all(body == large.body for body in bodies),
            f"dead letter {letter and (letter.kind, letter.reason)}": whole
            and letter is not None
            and letter.kind == "task",
        }
    return [fact for fact, holds in facts.items() if not holds]


async def _publish(made: Stage, url: str, requests: list[Large]) -> list[str]:
    """Write the requests, compressed: so a record is larger than what its topic takes."""
    place, tasks = made.place, []
    producer = AIOKafkaProducer(
        bootstrap_servers=place.bootstrap, acks="all", compression_type="gzip", max_request_size=_PRODUCER_BYTES
    )
    await producer.start()
    try:
        for number, large in enumerate(requests):
            record = {
                "url": f"{url}/{number}",
                "headers": _HEADERS,
                "retry": {"intervals": list(_INTERVALS)},
                **large.fields,
            }
            value = json.dumps(record).encode()
            metadata = await producer.send_and_wait(place.topics.requests, value)
            made.accepted.add(metadata, None)
            tasks.append(made.accepted.by_place[metadata.partition, metadata.offset])
    finally:
        await producer.stop()
    return tasks


async def _letters(made: Stage) -> dict[str, DeadLetter]:
    """Return the dead letters by task; one that no task was made of by the task that its place would have had."""
    place, found_ = made.place, {}
    topic = place.topics.dead_letter
    async with topic_log(place.bootstrap, topic, place.partitions, lambda r: decode_dead_letter(r.value)) as log:
        for letter in await log.to_end():
            place_of = letter.origin.partition, letter.origin.offset
            found_[letter.task_id or made.accepted.by_place.get(place_of, "")] = letter
    return found_


OVERSIZE = (
    Case(
        "C9",
        "bodies of 1 MiB in each form with 8 kB of headers, answers as large, and requests beyond the limit",
        "each derived record fits, dead letters are whole, nothing loops",
        oversized,
    ),
)
