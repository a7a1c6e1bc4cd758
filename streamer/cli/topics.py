"""`streamer topics`: make the topics that are missing, and show what is there and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from streamer.adapters.kafka import topics as on_cluster
from streamer.adapters.kafka.clients import addresses, partition_counts, reaching
from streamer.adapters.kafka.topic_problems import Problem, TopicFacts
from streamer.cli.cluster import BootstrapFlag, Installation, installation, kafka_errors
from streamer.cli.console import FAILURE, JsonFlag, complain, out, print_json, print_table
from streamer.core.duration import format_duration

app = typer.Typer(help="Make and show the topics.", no_args_is_help=True)


@app.command()
def create(ctx: typer.Context, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """Make the topics that are missing; those that exist are left as they are."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        created = asyncio.run(_create(place))
    if as_json:
        print_json({"created": created, "topics": len(place.topics.specs())})
        return
    for name in created:
        out.print(f"created {name}", markup=False, soft_wrap=True)
    if not created:
        out.print(f"nothing to do: all {len(place.topics.specs())} topics exist", markup=False, soft_wrap=True)


@app.command("ls")
def list_(ctx: typer.Context, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """List the topics with their settings; exit 1 when a worker could not run safely on them."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        facts, problems = asyncio.run(_look(place))
    rows = _rows(place, facts, problems)
    if as_json:
        print_json({"topics": rows, "problems": [_plain(problem) for problem in problems]})
    else:
        _print(rows)
        complain(*(str(problem) for problem in problems))
    if problems:
        raise typer.Exit(FAILURE)


async def _create(place: Installation) -> list[str]:
    bootstrap, options = _apart(place)
    await partition_counts(place.options, ())
    async with reaching(place.options):
        return await on_cluster.create_missing(
            bootstrap, place.topics.specs(), place.settings.topics.replication, **options
        )


async def _look(place: Installation) -> tuple[list[TopicFacts], list[Problem]]:
    bootstrap, options = _apart(place)
    await partition_counts(place.options, ())
    async with reaching(place.options):
        facts = await on_cluster.describe(bootstrap, place.topics.specs(), **options)
        production = place.settings.mode == "production"
        problems = await on_cluster.check(bootstrap, place.topics.specs(), production=production, **options)
    return facts, problems


def _apart(place: Installation) -> tuple[str, dict[str, Any]]:
    rest = {name: value for name, value in place.options.items() if name != "bootstrap_servers"}
    return addresses(place.options), rest


def _rows(place: Installation, facts: Sequence[TopicFacts], problems: Sequence[Problem]) -> list[dict[str, Any]]:
    found = {fact.name: fact for fact in facts}
    wrong: Mapping[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        wrong[problem.topic].append(problem)
    rows = []
    for spec in place.topics.specs():
        fact = found.get(spec.name)
        config = fact.config if fact else {}
        rows.append(
            {
                "name": spec.name,
                "role": spec.role.value,
                "exists": fact is not None,
                "partitions": fact.partitions if fact else None,
                "replication": fact.replication if fact else None,
                "retention_ms": int(config["retention.ms"]) if "retention.ms" in config else None,
                "cleanup_policy": config.get("cleanup.policy"),
                "problems": [f"{each.setting} is {each.found}" for each in wrong[spec.name]],
            }
        )
    return rows


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        ("topic", "role", "partitions", "retention", "cleanup", "state"),
        [
            (
                row["name"],
                row["role"],
                row["partitions"] if row["exists"] else "-",
                _retention(row),
                row["cleanup_policy"] or "-",
                "; ".join(row["problems"]) or "ok",
            )
            for row in rows
        ],
    )


def _retention(row: Mapping[str, Any]) -> str:
    kept_ms = row["retention_ms"]
    if kept_ms is None:
        return "-"
    # Compaction keeps the newest record of each key for ever; the time says nothing then.
    return "for ever" if kept_ms < 0 or row["cleanup_policy"] == "compact" else format_duration(kept_ms)


def _plain(problem: Problem) -> dict[str, str]:
    return {
        "topic": problem.topic,
        "setting": problem.setting,
        "found": problem.found,
        "wanted": problem.wanted,
        "remedy": problem.remedy,
    }
