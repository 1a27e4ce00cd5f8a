"""Cores and threads. Nothing here imports a numerical library: their threads are decided when they load."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def environment(threads: int) -> dict[str, str]:
    """What must be in the environment before NumPy, OpenMP or XLA load."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "NPROC": str(threads),  # the size of XLA's thread pool
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}",
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def pin(threads: int) -> list[int]:
    """Hold this process and its children to the first `threads` of the cores it may use (so `taskset` chooses)."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < threads:
        raise SystemExit(f"{threads} threads need {threads} cores; this process may use {len(allowed)}")
    os.sched_setaffinity(0, allowed[:threads])
    return allowed[:threads]


def child(script: str, threads: int, *arguments: str) -> Any:
    """Run one of our scripts in a fresh process that inherits our cores; its last line is JSON."""
    command = [sys.executable, str(Path(__file__).parent / script), *arguments]
    done = subprocess.run(command, env=os.environ | environment(threads), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{script} ended with code {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
