"""An installation that has nothing to do for long, and then a little: run by a clock that is faster than the world's.

``faketime -f '+0 x30' python -m bench.faults.idle --hours 24 --directory DIR`` takes 48 minutes, and prints one JSON object. The
broker, the worker and this process share that clock: each timer of theirs, each wait and each poll comes 30 times as often.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.faults.ground import Ground
from bench.faults.growth import sampled
from bench.faults.stage import Setting, stage
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker

_LOOKS = 400
_TASKS = 20
_ENDED_S = 600.0


async def idle(broker: EmbeddedBroker, directory: Path, hours: float) -> Mapping[str, Any]:
    """Leave one worker alone for so many hours of its clock, then let it send some tasks."""
    async with stage(Ground(broker, directory, 0), Setting(_TASKS, workers=1)) as made:
        samples = []
        for _ in range(_LOOKS):
            await asyncio.sleep(hours * 3600 / _LOOKS)
            samples.append(sampled(made.workers[0].pid))
        await made.publish({"url": made.url(number, str(number))} for number in range(_TASKS))
        verdict = await made.ended(_ENDED_S)
    return {
        "samples": [[each.at_s, each.rss_mib, each.descriptors, each.threads] for each in samples],
        "ends": dict(verdict.ends),
        "clean": verdict.clean,
        "exit_codes": list(made.exit_codes),
    }


def main() -> None:
    """Idle, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults.idle", description=__doc__)
    parser.add_argument("--hours", type=float, required=True, help="by this process's clock")
    parser.add_argument("--directory", type=Path, required=True, help="an empty one")
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    begun_s = time.monotonic()
    with EmbeddedBroker(BrokerOptions(args.directory / "kafka")) as broker:
        seen = asyncio.run(idle(broker, args.directory, args.hours))
    print(json.dumps({**seen, "took_s": time.monotonic() - begun_s}))


if __name__ == "__main__":
    main()
