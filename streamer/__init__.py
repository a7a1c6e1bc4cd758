"""Streamer: reliable HTTP delivery on Kafka."""

__version__ = "0.1.0"
