"""Small ONNX models: what is fraud by one input, and such as cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnx
from onnx import TensorProto, helper

VERSION = "test-1"


def content(
    inputs: Sequence[str] = ("amount", "ip_count_1m"),
    *,
    columns: int | None = None,
    rows: int | str = "n",
    kind: int = TensorProto.FLOAT,
    operator: str = "Sigmoid",
    **properties: object,
) -> bytes:
    """Return a model whose score is an operator's of the last one of its inputs: null is 0."""
    width = len(inputs) if columns is None else columns
    nodes = [
        helper.make_node("IsNaN", ["inputs"], ["nan"]),
        helper.make_node("Where", ["nan", "zero", "inputs"], ["known"]),
        helper.make_node(operator, ["known"], ["scores"]),
        helper.make_node("Gather", ["scores", "last"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "risk",
        [helper.make_tensor_value_info("inputs", kind, [rows, width])],
        [helper.make_tensor_value_info("probabilities", kind, [rows, 1])],
        [
            helper.make_tensor("zero", kind, [], [0.0]),
            helper.make_tensor("last", TensorProto.INT64, [1], [width - 1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    told = {"version": VERSION, "inputs": list(inputs), **properties}
    written = {name: msgspec.json.encode(value).decode() for name, value in told.items() if value is not ...}
    helper.set_model_props(model, written)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def written(directory: Path, data: bytes) -> Path:
    """Return a file that has these data, and is another one than before."""
    new, path = directory / "new", directory / "risk.onnx"
    new.write_bytes(data)
    return new.replace(path)
