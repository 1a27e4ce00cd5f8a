# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True, freethreading_compatible=False
"""Bindings of src_c: objects that own memory, hand buffers to C and release the GIL. The arithmetic is in src_c."""

import os
import sys
from collections import namedtuple
from math import prod

import numpy as np

from pylstm._net.above import above
from pylstm._net.cells import GATES, check_cell, suffix_of
from pylstm._net.describe import Description, describe, describe_steps
from pylstm._net.initialisation import as_generator, check_forget_bias, initialise
from pylstm._net.inputs import (
    as_array,
    as_given,
    as_numbers,
    as_rows_like,
    as_steps,
    check_dtype,
    check_flag,
    check_real,
    check_size,
    check_unmasked,
    fill,
    fill_state,
)
from pylstm._net.pickles import CLASSES, VERSION, plain_spec, reduced, restore, spec_of
from pylstm._net.tokens import Texts, as_token_steps, as_tokens
from pylstm._net.trace import held_values, trace

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pyport cimport PY_SSIZE_T_MAX
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from numpy cimport (
    NPY_FLOAT32, NPY_FLOAT64, NPY_UINT8, NPY_UINT16, NPY_UINT32, PyArray_DATA, PyArray_DESCR, PyArray_DIMS,
    PyArray_EMPTY, PyArray_IS_C_CONTIGUOUS, PyArray_ISCARRAY, PyArray_ISCARRAY_RO, PyArray_ISWRITEABLE,
    PyArray_ITEMSIZE, PyArray_NBYTES, PyArray_NDIM, PyArray_SimpleNewFromData, PyArray_TYPE, import_array, ndarray,
    npy_intp, set_array_base,
)
from scipy.linalg cimport cython_blas

from pylstm._net.c_api cimport *

import_array()

# A Python that can do without the GIL turns it on for a module that asks for it, as this one does, unless told not to.
# Objects need it for what they keep between calls: spare memory, who holds the weights.
if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
    raise ImportError("pylstm needs the GIL, which PYTHON_GIL=0 or -X gil=0 keeps off: start Python without them")

cdef pylstm_blas BLAS
BLAS.sgemm = <pylstm_sgemm *> cython_blas.sgemm
BLAS.dgemm = <pylstm_dgemm *> cython_blas.dgemm
# SciPy's OpenBLAS starts threads of its own above 2^18 multiply-adds, unless it was told not to when it was loaded.
_threads_of_blas = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
BLAS.one_thread_product = PY_SSIZE_T_MAX if _threads_of_blas == "1" else 1 << 18


#: The instruction sets that this build has and this machine runs, by name.
isas = [pylstm_isa_name(k).decode() for k in range(PYLSTM_ISA_BEST + 1, PYLSTM_N_ISA) if pylstm_isa_available(k)]


def _isa_from_environment():
    """Return the instruction set that PYLSTM_ISA names, or the best."""
    cdef int isa
    name = os.environ.get("PYLSTM_ISA", "")
    if not name:
        return pylstm_isa_best()
    for isa in range(PYLSTM_ISA_BEST + 1, PYLSTM_N_ISA):
        if pylstm_isa_available(isa) and pylstm_isa_name(isa).decode() == name:
            return isa
    raise ImportError(f"PYLSTM_ISA must be one of {', '.join(isas)} on this machine, got {name!r}")


cdef pylstm_isa ISA = _isa_from_environment()
#: The instruction set whose kernels run, by name.
isa = pylstm_isa_name(ISA).decode()


Gradients = namedtuple("Gradients", ["parameters", "input", "state"])
Gradients.__doc__ = """What `Sequence.backward` returns.

``parameters`` is a dict with the keys of `Sequence.parameters`; ``input`` has the form of the input; ``state`` is that
of the initial state, a list with one pair (h, c), or (h,), per layer.
"""


cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)  # of an object, it would count the reference that Cython passes


cdef int check(int status) except -1:
    if status:
        raise ValueError(f"pylstm: {pylstm_strerror(status).decode()}")
    return 0


include "memory.pxi"
include "spec.pxi"
include "net.pxi"
include "cell.pxi"
include "sequence.pxi"
include "stream.pxi"
include "model.pxi"
include "training.pxi"
include "head.pxi"

CLASSES.update({cls.__name__: cls for cls in (ModelSpec, Model, Solver)})
describe.register(Sequence, lambda net: Description(net.spec, net))
describe.register(Model, lambda net: Description(net.spec, net))
