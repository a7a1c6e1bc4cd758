"""Judges answers of Slack's Web API, which says 200 and puts what went wrong into the body."""

from __future__ import annotations

import json
import os

from streamer.extensions import Answer, Call, Meaning, Tools, Verdict

#: Errors that go away by themselves; every other one is the caller's, and comes back at each attempt.
PASSING = frozenset(
    {"ratelimited", "rate_limited", "request_timeout", "internal_error", "fatal_error", "service_unavailable"}
)
#: How long the limits of Slack's methods last.
_A_MINUTE_MS = 60_000


class SlackJudge:
    """Judges the answers of some domains: ``SLACK_JUDGE_DOMAINS`` in the environment, ``slack.com`` where it is not set."""

    def __init__(self, tools: Tools) -> None:
        self._domains = frozenset(os.environ.get("SLACK_JUDGE_DOMAINS", "slack.com").lower().split())

    def judge(self, call: Call, answer: Answer) -> Verdict | None:
        """Return the verdict for a 200 with ``ok`` in its body; other answers are Streamer's to judge."""
        if call.domain not in self._domains or answer.status != 200 or answer.truncated:
            return None
        try:
            said = json.loads(answer.body)
        except ValueError:
            return None
        if not isinstance(said, dict) or "ok" not in said:
            return None
        if said["ok"]:
            return Verdict(Meaning.SUCCESS, "slack says ok")
        error = str(said.get("error", "unknown"))
        if error not in PASSING:
            return Verdict(Meaning.FAIL, f"slack says {error}")
        limited = error in ("ratelimited", "rate_limited")
        return Verdict(Meaning.RETRY, f"slack says {error}", wait_ms=_A_MINUTE_MS if limited else None)
