"""Results as they were written, for people's eyes: names that an installation has added since are masked, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.wire.masking import Masking
from streamer.wire.request_mask import masked_request


def masked_result(result: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    """Return a result's fields with what is masked now, whatever was when it was written."""
    shown = masked_request(result, masking)
    if shown.get("body") != result.get("body"):
        # A hash of what is hidden would let it be guessed.
        shown.pop("body_hash", None)
    if isinstance(request := result.get("request"), dict):
        shown["request"] = masked_request(request, masking)
    if isinstance(error := result.get("error"), str):
        shown["error"] = masking.shown_url(error)
    why = result.get("why")
    if isinstance(why, dict) and isinstance(detail := why.get("detail"), str):
        shown["why"] = {**why, "detail": masking.shown_url(detail)}
    return shown
