"""Where Redis is: the addresses that are understood, and the words for those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.settings.load import SettingsError, load
from streamer.settings.redis import RedisUrl, parse_redis_url

SECRET = "correct-horse"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("redis://cache", RedisUrl("redis://cache", (("cache", 6379),))),
        ("redis://bob@10.0.0.1:7/3", RedisUrl("redis://bob@10.0.0.1:7/3", (("10.0.0.1", 7),), user="bob", database=3)),
        ("rediss://[::1]:6380/", RedisUrl("rediss://[::1]:6380/", (("::1", 6380),), tls=True)),
        ("redis://a%40b@h", RedisUrl("redis://a%40b@h", (("h", 6379),), user="a@b")),
        (
            "sentinel://u@a,b:2/mine/4",
            RedisUrl("sentinel://u@a,b:2/mine/4", (("a", 26379), ("b", 2)), user="u", database=4, master="mine"),
        ),
        ("sentinels://a/m", RedisUrl("sentinels://a/m", (("a", 26379),), tls=True, master="m")),
    ],
)
def test_an_address_is_read(text: str, url: RedisUrl) -> None:
    """Scheme, user, hosts, master and database; written back as it was."""
    assert parse_redis_url(text) == url
    assert str(url) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://h", "is no address of Redis"),
        ("h:6379", "is no address of Redis"),
        ("redis://", "is no address of Redis"),
        ("redis://h?timeout=1", "is no address of Redis"),
        ("redis://g,h", "names several hosts, which only sentinel:// may"),
        ("redis://h/x", "must end in a database's number"),
        ("redis://h/10000", "must end in a database's number"),
        ("redis://h/1/2", "has too much after the host"),
        ("redis://h:0", "a port that is not from 1 to 65535"),
        ("redis://h:65536", "a port that is not from 1 to 65535"),
        ("redis://h h", "has a host that is none"),
        ("sentinel://a,b", "names no master"),
        ("sentinel://a/m/x", "must end in a database's number"),
    ],
)
def test_what_is_no_address_is_refused_with_what_is_allowed(text: str, words: str) -> None:
    """The sentence names the setting, what is wrong, and how to write it."""
    (problem,) = refused({"redis.url": text})
    assert problem.startswith("redis.url (flag): ")
    assert words in problem
    assert "redis://[USER@]HOST[:PORT][/DATABASE]" in problem


@pytest.mark.parametrize("before", ["", "bob"])
@pytest.mark.parametrize("secret", [SECRET, f"{SECRET}@x", f"{SECRET}/x", f"{SECRET}?x"])
def test_a_password_in_the_address_is_refused_and_not_told(before: str, secret: str) -> None:
    """The address is shown by many commands; a password has a setting of its own, which is masked."""
    (problem,) = refused({"redis.url": f"redis://{before}:{secret}@h:1"})
    assert SECRET not in problem
    assert "set redis.password" in problem or "/" in secret


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"redis.password": "x"}, "redis.password is of no use without redis.url"),
        ({"redis.url": "redis://h", "redis.cafile": "/ca.pem"}, "redis.cafile needs a redis.url with TLS"),
        ({"redis.url": "redis://h", "redis.sentinel_password": "x"}, "needs a redis.url of Sentinels"),
        ({"redis.timeout": "4ms"}, "redis.timeout (flag): must be from 5ms to 5s"),
        ({"redis.fallback_share": 0}, "redis.fallback_share (flag): Input should be greater than 0"),
        ({"redis.url": 1}, "redis.url (flag): is no text"),
    ],
)
def test_what_makes_no_sense_is_refused(flags: dict[str, Any], words: str) -> None:
    """A setting that would do nothing, or harm, is named."""
    (problem,) = refused(flags)
    assert words in problem


def test_the_defaults() -> None:
    """No Redis; and where there is one, a quarter of a second and of each rate."""
    redis = load(environ={}).settings.redis
    assert (redis.url, redis.password, redis.timeout.ms, redis.fallback_share) == (None, None, 250, 0.25)
    assert load(environ={"STREAMER_REDIS__URL": ""}).settings.redis.url is None


def refused(flags: dict[str, Any]) -> list[str]:
    """Return the problems of settings that must be refused."""
    with pytest.raises(SettingsError) as error:
        load(environ={}, flags=flags)
    return error.value.problems
