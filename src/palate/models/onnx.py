"""Networks at serving time: ONNX Runtime on one thread, the same on every machine."""

from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

REFUSED = (
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NoModel,
    errors.NotImplemented,
    RuntimeError,
)


def session(file: Path) -> onnxruntime.InferenceSession:
    """Open a network. Raises ValueError naming the file where it is not one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            file.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except REFUSED as error:
        raise ValueError(f"{file} is not a network this build can run: {error}") from error
