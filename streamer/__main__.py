"""The program's entry: `python -m streamer` and the command `streamer`."""

from __future__ import annotations

from streamer.cli.app import app


def main() -> None:
    """Run the command line; the exit code is the command's."""
    app()


if __name__ == "__main__":
    main()
