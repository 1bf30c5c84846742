"""Models whose scores a test knows: the amount in hundreds, at most 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

__all__ = ["replace", "write_model"]

#: How a model is made slow: a vector goes through so many matrices of this size.
SIZE, TIMES = 1_024, 40


def write_model(path: Path, version: str, *, decline: float = 0.9, slow: bool = False) -> Path:
    """Write a model in place of what is there, at once; a slow one takes some 10 ms for a row."""
    nodes = [
        helper.make_node("IsNaN", ["part"], ["null"]),
        helper.make_node("Where", ["null", "zero", "part"], ["known"]),
        helper.make_node("Clip", ["known", "zero", "one"], ["score"]),
    ]
    if slow:
        shape = numpy_helper.from_array(np.array([SIZE, SIZE]), "shape")
        nodes = [
            helper.make_node("Expand", ["small", "shape"], ["matrix"]),
            helper.make_node("Slice", ["matrix", "begin", "end"], ["wide"]),
            helper.make_node("MatMul", ["inputs", "wide"], ["v0"]),
            *(helper.make_node("MatMul", [f"v{n}", "matrix"], [f"v{n + 1}"]) for n in range(TIMES)),
            helper.make_node("ReduceMax", [f"v{TIMES}"], ["most"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["most", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "inputs"], ["amount"]),
            helper.make_node("Div", ["amount", "hundred"], ["part"]),
            *nodes,
        ]
        more = [
            shape,
            numpy_helper.from_array(np.array([0]), "begin"),
            numpy_helper.from_array(np.array([1]), "end"),
            numpy_helper.from_array(np.array(1 / SIZE, np.float32), "small"),
        ]
    else:
        nodes.insert(0, helper.make_node("Div", ["inputs", "hundred"], ["part"]))
        more = []
    constants = {"zero": 0.0, "one": 1.0, "hundred": 100.0}
    numbers = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()]
    taken = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [None, 1])
    given = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(nodes, "model", [taken], [given], [*numbers, *more])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = {"version": version, "inputs": ["amount"], "review": 0.5, "decline": decline}
    helper.set_model_props(model, {name: json.dumps(value) for name, value in card.items()})
    replace(path, model.SerializeToString())
    return path


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of what is there, at once."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)
