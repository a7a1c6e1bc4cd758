"""The embedded broker: a real Apache Kafka of one node on the loopback interface."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Self

from streamer.adapters.broker import artifacts, errors, java, ports, probe
from streamer.adapters.broker.artifacts import Report
from streamer.adapters.broker.child import Child
from streamer.adapters.broker.config import LOG4J_PROPERTIES, BrokerOptions, server_properties
from streamer.adapters.broker.storage import Storage

STOP_TIMEOUT_S = 15.0
PROBE_INTERVAL_S = 0.05
PORT_TRIES = 3
#: Java's first compiler alone: the second one pays only for a process that runs for long.
COMPILE_LIGHTLY = "-XX:TieredStopAtLevel=1"


class EmbeddedBroker:
    """One broker on one data directory.

    All methods block; call them through `asyncio.to_thread` where there is an event loop. The broker ends
    with this process, however that ends.
    """

    def __init__(self, options: BrokerOptions, report: Report | None = None) -> None:
        self._options = options
        self._report = report
        self._storage = Storage(options.data_dir)
        self._port = options.port
        self._controller_port = options.controller_port
        self._java: list[str] | None = None
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The address for clients, once the broker has been started."""
        if self._port is None:
            raise errors.BrokerError("the broker has no port before its first start: call start()")
        return f"{ports.LOOPBACK}:{self._port}"

    @property
    def data_dir(self) -> Path:
        """The directory that keeps the records between runs."""
        return self._storage.data_dir

    @property
    def log_file(self) -> Path:
        """What the broker says, warnings and errors; the file before it ends in `.1`."""
        return self._storage.log_file

    @property
    def pid(self) -> int | None:
        """The process id of the broker while it runs."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the broker, and return when it serves requests; raises BrokerError."""
        if self.pid is not None:
            raise errors.BrokerError(f"the broker already runs on {self.bootstrap}")
        self._storage.lock()
        try:
            self._storage.check_room(self._options.min_free_mib)
            if self._java is None:
                self._java = self._java_command()
            self._launch(self._java)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop the broker in order, by force after the time allowed; nothing happens if it does not run."""
        if self._child is not None:
            self._child.stop(timeout_s)
            self._child = None
        self._storage.unlock()

    def kill(self) -> None:
        """End the broker at once, as a crash would; nothing happens if it does not run."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._storage.unlock()

    def restart(self) -> None:
        """Stop the broker if it runs, and start it on the same ports and records."""
        self.stop()
        self.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the broker's process has ended; False if it still runs after the time allowed."""
        return self._child is None or self._child.wait(timeout_s)

    def failure(self) -> errors.BrokerError | None:
        """Return why the broker ended by itself; None if it runs, was stopped, or never ran."""
        if self._child is None or self._child.exit_code is None:
            return None
        return self._diagnosis(self._child)

    def _java_command(self) -> list[str]:
        options = self._options
        found = java.find(options.java_home)
        cache_dir = options.cache_dir or artifacts.default_cache_dir()
        jars = artifacts.ensure(cache_dir.absolute(), mirror=options.mirror, report=self._report)
        return [
            str(found.path),
            f"-Xmx{options.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self._storage.log4j_properties}",
            "-cp",
            os.pathsep.join(str(jar) for jar in jars),
        ]

    def _launch(self, command: list[str]) -> None:
        """Start the process; a port of our own choice that somebody took meanwhile is chosen again."""
        for tries_left in reversed(range(PORT_TRIES)):
            port = self._port or ports.pick()
            controller_port = self._controller_port or ports.pick()
            try:
                self._run(command, port, controller_port)
            except errors.PortTaken as error:
                if tries_left == 0 or error.port in (self._port, self._controller_port):
                    raise
            else:
                self._port, self._controller_port = port, controller_port
                return

    def _run(self, command: list[str], port: int, controller_port: int) -> None:
        if ports.is_taken(port):
            raise errors.PortTaken(port)
        if ports.is_taken(controller_port):
            raise errors.PortTaken(controller_port, "--controller-port")
        text = server_properties(self._options, self._storage.log_dir, port, controller_port)
        self._storage.write(text, LOG4J_PROPERTIES)
        light = [command[0], COMPILE_LIGHTLY, *command[1:]]
        self._storage.format(light)
        lasting = light if self._options.short_lived else command
        child = Child([*lasting, "kafka.Kafka", str(self._storage.server_properties)], self._storage.log_file)
        self._child = child
        child.start()
        self._await_service(child, port)

    def _await_service(self, child: Child, port: int) -> None:
        deadline = time.monotonic() + self._options.start_timeout_s
        while not probe.answers(ports.LOOPBACK, port):
            if child.wait(PROBE_INTERVAL_S):
                raise self._diagnosis(child)
            if time.monotonic() > deadline:
                raise errors.BrokerNotReady(
                    f"the broker does not answer on port {port} after {self._options.start_timeout_s:g} s; "
                    f"the last lines of {self.log_file}:\n{errors.tail(child.last_lines())}"
                )

    def _diagnosis(self, child: Child) -> errors.BrokerError:
        numbers = [number for number in (self._port, self._controller_port) if number is not None]
        return errors.from_log(child.exit_code, child.last_lines(), self.data_dir, numbers)
