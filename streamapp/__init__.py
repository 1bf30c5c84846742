"""Stream joins for Kafka with Faust agents and tables: correct, lossless, fast."""

__version__ = "0.1.0"
