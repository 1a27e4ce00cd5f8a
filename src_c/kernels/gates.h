/* What the units of a cell do: from pre-activations to gates and state, in vectors of units. */
#ifndef PYLSTM_GATES_H
#define PYLSTM_GATES_H

#include "kernels/activation.h"
#include "kernels/rows.h"

#include <stdbool.h>

/* Pre-activations of a unit, and those that the inputs, or h_{t-1}, go into (cell.h): as constants. */
#define N_VECTORS(cell) ((cell) == PYLSTM_LSTM || (cell) == PYLSTM_GRU ? 4 : 1)
#define N_GATES(cell) ((cell) == PYLSTM_LSTM ? 4 : (cell) == PYLSTM_GRU ? 3 : 1)
#define FIRST_OF_H(cell) (N_VECTORS(cell) - N_GATES(cell))

/* A state (c of an LSTM, else h) closer to zero than this, 2^-50 or 2^-500, is at zero. One that decays would else come
 * among the denormals, and stay where it is rounded back to itself: x86 takes 100 times as long to multiply those, and
 * an instrument that has fallen silent would cost more than one that plays. Above it the square of c, of which tanh is
 * made, is a normal number too. */
#if PYLSTM_REAL_BITS == 32
#define CELL_END 8.8817841970012523e-16f
#else
#define CELL_END 3.0549363634996047e-151
#endif

VEC_INLINE vec zero_where(ivec mask, vec v)
{
    return AS_REAL(AS_BITS(v) & ~mask);
}

VEC_INLINE ivec ends(vec state)
{
    return less(AS_REAL(AS_BITS(state) & ~SIGN_BIT), splat(CELL_END));
}

/* A step goes three ways over some vectors of units, `pending` in the first-level cache, V each: a tile's products,
 * the pre-activations (fused.h); their gates (apply_gates); and what is left, another tanh (finish). Each
 * of the last two is a chain of operations that wait for each other, and takes its time only where the processor finds
 * others beside it: as far as it looks ahead, it finds those of the next vectors; between two tiles it found products.
 */

/* A gate v, or what `gates` holds it at. */
VEC_INLINE vec gate_or_held(bool holds, const real *gates, ptrdiff_t at, vec v)
{
    if (!holds)
        return v;
    vec held = load(gates + at);
    return blend(less(held, splat(2)), held, v); /* gates are within [-1, 1]; NaN is not less */
}

/* i, f, g, o, from z; there, what h waits for: c, o */
VEC_INLINE void lstm_gates(bool holds, vec *z, const real *c_prev, real *c, real *kept)
{
    struct reduced y[4] = {sigmoid_argument(z[0]), sigmoid_argument(z[1]), tanh_argument(z[2]), sigmoid_argument(z[3])};
    reduce(4, y);
    vec i = gate_or_held(holds, kept, 0, sigmoid_from(z[0], y[0]));
    vec f = gate_or_held(holds, kept, LANES, sigmoid_from(z[1], y[1]));
    vec g = gate_or_held(holds, kept, 2 * LANES, tanh_from(z[2], y[2]));
    vec o = gate_or_held(holds, kept, 3 * LANES, sigmoid_from(z[3], y[3]));
    vec c_new = rounded(f * load(c_prev)) + i * g;
    ivec is_zero = ends(c_new);
    store(c, zero_where(is_zero, c_new));
    if (kept) {
        store(kept, i);
        store(kept + LANES, f);
        store(kept + 2 * LANES, g);
        store(kept + 3 * LANES, o);
    }
    z[0] = c_new;
    z[1] = zero_where(is_zero, o);
}

/* r, z, from the inputs' part of n, r, z, and h_{t-1}'s part of n, which is kept for the backward pass with the gates;
 * there, what h waits for: the pre-activation of n, z */
VEC_INLINE void gru_gates(bool holds, vec *z, real *kept)
{
    struct reduced y[2] = {sigmoid_argument(z[1]), sigmoid_argument(z[2])};
    reduce(2, y);
    vec reset = gate_or_held(holds, kept, 0, sigmoid_from(z[1], y[0]));
    vec update = gate_or_held(holds, kept, LANES, sigmoid_from(z[2], y[1]));
    if (kept) {
        store(kept, reset);
        store(kept + LANES, update);
        store(kept + 3 * LANES, z[3]);
    }
    z[0] += z[3] * reset;
    z[1] = update;
}

/* Vectors of units of a step: rows of one block, or blocks of one row. The state lies `stride` apart; gates as well, if
 * their data is not NULL. */
struct run {
    ptrdiff_t n, stride;
    const real *own_prev;
    real *c, *h;
    struct rows gates;
};

/* The j-th of a run, and those after it. */
VEC_INLINE struct run run_from(struct run run, ptrdiff_t j)
{
    run.n -= j;
    run.own_prev = run.own_prev ? run.own_prev + j * run.stride : NULL;
    run.c = run.c ? run.c + j * run.stride : NULL;
    run.h += j * run.stride;
    run.gates.data = run.gates.data ? run.gates.data + j * run.gates.stride : NULL;
    return run;
}

VEC_INLINE void apply_gates(int cell, bool holds, struct run run, vec *pending)
{
    for (ptrdiff_t j = 0; j < run.n; j++, pending += N_VECTORS(cell)) {
        struct run here = run_from(run, j);
        if (cell == PYLSTM_LSTM)
            lstm_gates(holds, pending, here.own_prev, here.c, here.gates.data);
        else if (cell == PYLSTM_GRU)
            gru_gates(holds, pending, here.gates.data);
    }
}

/* So many chains side by side. */
enum { CHAINS = LANES == 1 ? 1 : 4 };

/* h of the first n of a run, a constant. */
VEC_INLINE void finish_some(int cell, bool relu, bool holds, int n, struct run run, const vec *pending)
{
    const int n_vectors = N_VECTORS(cell);
    struct reduced y[CHAINS];
    UNROLL
    for (int j = 0; j < n; j++)
        y[j] = tanh_argument(pending[j * n_vectors]);
    reduce(n, y);
    UNROLL
    for (int j = 0; j < n; j++, pending += n_vectors) {
        struct run here = run_from(run, j);
        vec out = relu ? at_least(splat(0), pending[0]) : tanh_from(pending[0], y[j]);
        if (cell == PYLSTM_LSTM) {
            store(here.h, pending[1] * out);
            continue;
        }
        if (cell == PYLSTM_GRU) {
            vec candidate = gate_or_held(holds, here.gates.data, 2 * LANES, out);
            if (here.gates.data)
                store(here.gates.data + 2 * LANES, candidate);
            out = candidate + pending[1] * (load(here.own_prev) - candidate);
        }
        store(here.h, zero_where(ends(out), out));
    }
}

VEC_INLINE void finish(int cell, bool relu, bool holds, struct run run, const vec *pending)
{
    const int n_vectors = N_VECTORS(cell);
    relu = relu && n_vectors == 1; /* of the others, a constant */
    for (; run.n >= CHAINS; run = run_from(run, CHAINS), pending += CHAINS * n_vectors) {
        if (relu)
            finish_some(cell, true, holds, CHAINS, run, pending);
        else
            finish_some(cell, false, holds, CHAINS, run, pending);
    }
    for (; run.n > 0; run = run_from(run, 1), pending += n_vectors) {
        if (relu)
            finish_some(cell, true, holds, 1, run, pending);
        else
            finish_some(cell, false, holds, 1, run, pending);
    }
}

#endif
