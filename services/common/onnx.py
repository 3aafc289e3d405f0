"""How every service here runs ONNX models: settings of a session."""

from __future__ import annotations

import onnxruntime as ort


def session_options(threads: int = 0) -> ort.SessionOptions:
    """For sessions that many threads share and that must give memory back.

    Args:
        threads: for one run; 0 lets ONNX Runtime use every core.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena keeps the largest run's memory for ever; without it memory returns after each photo.
    options.enable_cpu_mem_arena = False
    # Threads that spin while they wait take the cores from the next photo.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
