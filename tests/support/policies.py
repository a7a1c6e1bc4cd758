"""Books of policies for tests of senders: what one domain says, and it may say something else later."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from streamer.core.delivery import Delivery
from streamer.core.lane_key import lane_key
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from tests.support.sending import delivery_of


class Sayings:
    """The policies in force, for a sender that asks before each call."""

    def __init__(self, **domains: Policy) -> None:
        """Begin with what these domains say, or none."""
        self.book = PolicyBook(domains=domains)

    def __call__(self) -> PolicyBook:
        """Return the book in force."""
        return self.book

    def say(self, url: str, policy: Policy) -> None:
        """Let the domain of a URL say something, beside what others say."""
        self.book = PolicyBook(domains={**self.book.domains, lane_key(url): policy})


def delivery_to(request: Request, *, business: str = "acme") -> Delivery:
    """Return a business's delivery that stands in the lane of its URL."""
    assert urlsplit(request.url).netloc
    return replace(delivery_of(request), lane=lane_key(request.url), business=business)
