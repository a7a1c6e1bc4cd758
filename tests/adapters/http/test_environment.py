"""What the environment says of proxies, passwords and keys changes no call."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from streamer.adapters.http.libraries import LIBRARIES
from tests.support.listener import trap
from tests.support.receiver import Receiver
from tests.support.tls import HOST, make_certificate, tls_server

NAMES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("library", LIBRARIES)
async def test_proxies_passwords_and_key_logs_of_the_environment_are_ignored(
    receiver: Receiver, tmp_path: Path, library: str
) -> None:
    """A process with all of them set calls its targets itself, shows no password and writes no key."""
    certificate = make_certificate(tmp_path)
    (tmp_path / ".netrc").write_text("default login me password open-sesame\n")
    key_log = tmp_path / "keys.log"
    async with trap("127.0.0.1") as proxy, tls_server(certificate) as port:
        environment = dict.fromkeys(NAMES, f"http://me:open-sesame@127.0.0.1:{proxy.port}") | {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "NETRC": str(tmp_path / ".netrc"),
            "CURL_HOME": str(tmp_path),
            "SSLKEYLOGFILE": str(key_log),
        }
        plain = receiver.url.replace("127.0.0.1", "hooks.test")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.support.one_call", library, str(certificate.certificate)),
            *(plain, f"https://{HOST}:{port}/", receiver.url),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            said, _ = await child.communicate()
        assert said.decode().split() == ["200", "200", "200"]
    assert [arrival.header("authorization") for arrival in receiver.arrivals] == [None, None]
    assert [arrival.header("proxy-authorization") for arrival in receiver.arrivals] == [None, None]
    assert not key_log.exists()
