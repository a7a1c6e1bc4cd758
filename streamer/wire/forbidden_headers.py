"""The headers that no task may set, with the reason for each; the docs' table is made from these rows.

Refused is what frames the message, what belongs to the connection or to us, and what a platform or a proxy puts before
a service to vouch for a caller. Vendors' whole prefixes are not: their APIs ask callers for `x-amz-date`,
`x-goog-api-key`, `x-ms-version`, `CF-Access-Client-Id` or `Fastly-Key`.
"""

from __future__ import annotations

from dataclasses import dataclass

_FRAMED = "the sender frames the body"
_CONNECTION = "the connection belongs to the sender"
_IN_FRONT = "a proxy in front of the target says so, and the target may believe it"
_IDENTITY = "a proxy in front of the target vouches for a caller by it"
_ROUTE = "it may lead a proxy to another place than the url"
_METADATA = "metadata services of clouds ask for it, and are no targets"
_PLATFORM = "the platform that the target runs on vouches for its own calls by it"


@dataclass(frozen=True, slots=True)
class ForbiddenHeaders:
    """Names, and beginnings of names, in lower case, that are refused for one reason; ``of`` says whose they are."""

    of: str
    why: str
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


ROWS = (
    ForbiddenHeaders("RFC 9110 §7.2", "it is made from url", ("host",)),
    ForbiddenHeaders("RFC 9112 §6", "it is made from the body", ("content-length",)),
    ForbiddenHeaders("RFC 9112 §6, RFC 9110 §6.6, §10.1", _FRAMED, ("transfer-encoding", "te", "trailer")),
    ForbiddenHeaders(
        "RFC 9110 §7, §10.1, RFC 9113 §8.2.2, RFC 6455",
        _CONNECTION,
        ("connection", "keep-alive", "upgrade", "expect", "http2-settings", "early-data"),
        ("sec-websocket-",),
    ),
    ForbiddenHeaders("RFC 9110 §11.7", "the way to the target belongs to the sender", prefixes=("proxy-",)),
    ForbiddenHeaders("Standard Webhooks", "they carry the task's id and signature", prefixes=("webhook-",)),
    ForbiddenHeaders("Streamer", "they tell which task and attempt it is", prefixes=("x-streamer-",)),
    ForbiddenHeaders(
        "proxies: RFC 7239, RFC 9110 §7.6.3, RFC 8586, usage",
        _IN_FRONT,
        (
            "forwarded",
            "via",
            "cdn-loop",
            "x-real-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "true-client-ip",
            "x-scheme",
            "x-url-scheme",
            "front-end-https",
        ),
        ("x-forwarded-",),
    ),
    ForbiddenHeaders(
        "proxies: RFC 9440, usage",
        _IDENTITY,
        ("client-cert", "client-cert-chain", "x-client-cert", "remote-user"),
        ("x-remote-", "x-auth-request-", "x-webauth-", "ssl-client-", "x-ssl-"),
    ),
    ForbiddenHeaders(
        "proxies: usage", _ROUTE, ("x-original-url", "x-original-uri", "x-original-host", "x-rewrite-url")
    ),
    ForbiddenHeaders(
        "metadata services",
        _METADATA,
        ("metadata", "metadata-flavor", "x-google-metadata-request"),
        ("x-aws-ec2-metadata-", "x-aliyun-ecs-metadata-"),
    ),
    ForbiddenHeaders("AWS load balancers", _IDENTITY, prefixes=("x-amzn-oidc-", "x-amzn-mtls-")),
    ForbiddenHeaders("Google IAP", _IDENTITY, prefixes=("x-goog-iap-", "x-goog-authenticated-user-")),
    ForbiddenHeaders(
        "Google App Engine, Cloud Tasks, Cloud Scheduler",
        _PLATFORM,
        prefixes=("x-appengine-", "x-cloudtasks-", "x-cloudscheduler"),
    ),
    ForbiddenHeaders(
        "Azure App Service, Front Door",
        _IDENTITY,
        prefixes=("x-ms-client-principal", "x-ms-token-", "x-arr-", "x-azure-"),
    ),
    ForbiddenHeaders(
        "Cloudflare",
        _IN_FRONT,
        (
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "cf-pseudo-ipv4",
            "cf-ipcountry",
            "cf-visitor",
            "cf-ray",
            "cf-worker",
        ),
    ),
    ForbiddenHeaders("Cloudflare Access", _IDENTITY, ("cf-access-jwt-assertion",), ("cf-access-authenticated-user-",)),
    ForbiddenHeaders(
        "Fastly, Akamai, Fly, Netlify",
        _IN_FRONT,
        (
            "fastly-client",
            "fastly-client-ip",
            "fastly-ff",
            "fastly-ssl",
            "x-akamai-edgescape",
            "fly-client-ip",
            "fly-region",
            "x-nf-client-connection-ip",
        ),
        ("fly-forwarded-",),
    ),
    ForbiddenHeaders(
        "Vercel",
        _IN_FRONT,
        ("x-vercel-id", "x-vercel-forwarded-for", "x-vercel-proxied-for", "x-vercel-oidc-token"),
        ("x-vercel-ip-", "x-vercel-sc-"),
    ),
    ForbiddenHeaders("Envoy, Istio, Linkerd", _IN_FRONT, ("x-istio-attributes",), ("x-envoy-", "l5d-")),
)

#: Every name that is refused → why.
FORBIDDEN = {name: row.why for row in ROWS for name in row.names}
#: Every beginning of names that is refused → why.
FORBIDDEN_PREFIXES = {prefix: row.why for row in ROWS for prefix in row.prefixes}
