"""``python -m streamapp.pipelines.risk.training`` trains the model in the package (``make model``)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click
import msgspec

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.pipelines.risk.traffic import SHARES, Traffic

__all__ = ["main"]


@click.command()
@click.option("--seed", type=int, default=1, help="Of the traffic, and of the trees [1].")
@click.option("--accounts", type=click.IntRange(min=1), default=2_000, help="Accounts of the traffic [2,000].")
@click.option("--transactions", type=click.IntRange(min=1_000), default=150_000, help="Of each pace [150,000].")
@click.option(
    "--directory", type=click.Path(path_type=Path), default=Path(__file__).parent / "model", help="To write into."
)
def main(directory: Path, transactions: int, **options: float) -> None:
    """Train a model, and write it into a directory with its card and its ROC curve."""
    require(Extra.RISK)
    require(Extra.TRAINING)
    fitting, roc = (importlib.import_module(f"streamapp.pipelines.risk.{name}") for name in ("fitting", "roc"))
    content, card, labelled = fitting.train(msgspec.convert(options, Traffic), transactions)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "risk.onnx").write_bytes(content)
    written = msgspec.json.format(msgspec.json.encode(card), indent=2)
    (directory / "card.json").write_bytes(written + b"\n")
    roc.draw(labelled, card, directory / "roc.png")
    click.echo(written)


main.params += SHARES


if __name__ == "__main__":
    try:
        main()
    except StreamappError as exc:
        sys.exit(f"streamapp: {exc}")
