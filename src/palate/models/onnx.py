"""Networks at serving time: ONNX Runtime on one thread, the same on every machine."""

from pathlib import Path

import onnxruntime


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
    except RuntimeError as error:
        raise ValueError(f"{file} is not a network this build can run: {error}") from error
