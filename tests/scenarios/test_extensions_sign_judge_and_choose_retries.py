"""Other packages sign calls, judge answers and choose retries; those of them that are broken are named, and lose nothing."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from streamer.adapters.demo.exchange import Answer
from streamer.extensions import JUDGES, RETRIES, SIGNERS
from tests.support.installation import ROOT
from tests.support.packages import install, install_example
from tests.support.receiver import running_receiver
from tests.support.scene import Result, Scene, at
from tests.support.worker import worker_process

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

KEY = "CANARY-key-of-the-signer"
STORY = """
import hmac

from streamer.extensions import GiveUp, Meaning, RetryAt, Verdict


class Sign:
    def __init__(self, tools):
        self.secret = tools.secret

    async def headers(self, call):
        return [("X-Story", hmac.digest(await self.secret("story"), call.body, "sha256").hex())]


class BrokenAtFirst:
    def __init__(self, tools):
        self.secret = tools.secret

    async def headers(self, call):
        if call.url.endswith("/unsigned") and call.attempt == 1:
            raise ValueError(f"cannot sign with {(await self.secret('story')).decode()}")
        return []


class Raises:
    def __init__(self, tools):
        pass

    def judge(self, call, answer):
        return {}["ok"]


class Judge:
    def __init__(self, tools):
        pass

    def judge(self, call, answer):
        if answer.body == b"busy":
            return Verdict(Meaning.RETRY, "the target is busy")
        if answer.body == b"nobody":
            return Verdict(Meaning.FAIL, "nobody lives there")
        return None


class Choose:
    def __init__(self, tools):
        pass

    def next(self, planned):
        if dict(planned.metadata).get("patience") == "none":
            return GiveUp("no patience")
        return RetryAt(planned.now_ms + 300)
"""
ENTRIES = {
    SIGNERS: {"sign": "story:Sign", "broken-signer": "story:BrokenAtFirst"},
    JUDGES: {"broken-judge": "story:Raises", "judge": "story:Judge"},
    RETRIES: {"choose": "story:Choose"},
}
#: Path → state, reason and rule of the task's end, and how many calls were made.
ENDS = {
    "/busy": ("succeeded", "delivered", "success.2xx", 2),
    "/nobody": ("failed", "extension", "extension.judge", 1),
    "/down": ("failed", "gave_up", "extension.choose", 1),
    "/unsigned": ("succeeded", "delivered", "success.2xx", 1),
}


def environment(site: Path) -> Mapping[str, str]:
    """Return what a worker needs to find the packages, in the order in which they are asked."""
    return {
        "PYTHONPATH": f"{site}:{ROOT}",
        "STREAMER_EXTENSIONS": "sign broken-signer sigv4 broken-judge judge choose",
        "STREAMER_SECRET_STORY": KEY,
        "STREAMER_SECRET_AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "STREAMER_SECRET_AWS_SECRET_ACCESS_KEY": "CANARY-key-of-aws",
        "SIGV4_DOMAINS": "127.0.0.1:*",
        "SIGV4_SERVICE": "execute-api",
        "SIGV4_REGION": "eu-west-1",
    }


async def test_extensions_sign_judge_and_choose_retries(scene: Scene, tmp_path: Path) -> None:
    """Each task comes to the end that the extensions give it, and its results name those that failed.

    One that cannot even be imported keeps a worker from starting, and is named.
    """
    site = tmp_path / "site"
    install(site, "story", ENTRIES, story=STORY)
    install(site, "acme-hooks", {JUDGES: {"acme": "acme_hooks:Judge"}}, acme_hooks="raise OSError('no such shop')")
    install_example(site, "streamer-sigv4")
    async with running_receiver() as receiver, worker_process(scene.place, env=environment(site)) as worker:
        await worker.ready()
        receiver.on("/busy", Answer(body=b"busy"), Answer())
        receiver.on("/nobody", Answer(body=b"nobody"))
        receiver.on("/down", Answer(503))
        places = {}
        for path in ENDS:
            [places[path]] = await scene.requests(
                [
                    {
                        "url": receiver.url + path,
                        "body": path,
                        "retry": {"intervals": ["1h"]},
                        "metadata": {"patience": "none" if path == "/down" else "some"},
                    }
                ]
            )
        refused = await scene.place.run(
            "worker", "--name", "1", env={**environment(site), "STREAMER_EXTENSIONS": "sign acme"}
        )
        ends = {
            path: next(end for end in await scene.ends(len(ENDS)) if at(end, place)) for path, place in places.items()
        }
    letters = await scene.letters.until(lambda letters: len(letters) >= 2)

    assert refused.code == 2
    assert "extensions: acme (streamer.judges, acme-hooks 1.0): acme_hooks:Judge cannot be imported" in refused.err

    calls = [arrival.path for arrival in receiver.arrivals]
    for path, end in ends.items():
        why = end["why"]
        assert (end["state"], why["reason"], why["rule"], calls.count(path)) == ENDS[path], end
        assert "extension broken-judge: KeyError: 'ok' (story.py, line " in why["detail"]
    assert ends["/nobody"]["why"]["detail"].startswith("nobody lives there; ")
    assert ends["/down"]["why"]["detail"].startswith("no patience; ")
    assert sorted(letter.reason for letter in letters) == ["extension", "gave_up"]

    first = {path: told(scene, place.partition, place.offset)[0] for path, place in places.items()}
    assert first["/busy"]["why"]["detail"].startswith("the target is busy; ")
    assert "extension choose chose the time of the next attempt" in first["/busy"]["why"]["detail"]
    assert (first["/unsigned"]["outcome"], first["/unsigned"]["error_type"]) == ("credentials_error", "credentials")
    assert first["/unsigned"]["error"].startswith("extension broken-signer: ValueError: cannot sign with ***")

    for arrival in receiver.arrivals:
        assert arrival.header("x-story") == hmac.digest(KEY.encode(), arrival.path.encode(), "sha256").hex()
        assert (arrival.header("authorization") or "").startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    shown = dict(ends["/busy"]["request"]["headers"])
    assert (shown["X-Story"], shown["Authorization"]) == ("***", "***")
    assert "CANARY" not in json.dumps(scene.results.items, default=str)


def told(scene: Scene, partition: int, offset: int) -> list[Result]:
    """Return the results of the task whose request stands there."""
    return [
        result
        for result in scene.results.items
        if (result["origin"]["partition"], result["origin"]["offset"]) == (partition, offset)
    ]
