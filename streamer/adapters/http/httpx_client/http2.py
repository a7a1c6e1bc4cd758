"""HTTP/2 as httpcore speaks it, with the one check made that httpcore leaves out; imported where h2 is installed."""

from __future__ import annotations

import h2.config
import httpcore


class Http2Connection(httpcore.AsyncHTTP2Connection):
    """A connection that refuses heads which RFC 9113 §8.3 forbids: httpcore takes one without a status for a 200.

    A subclass, since httpcore reads its configuration from its class alone.
    """

    CONFIG = h2.config.H2Configuration(validate_inbound_headers=True)
