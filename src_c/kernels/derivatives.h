/* The derivatives of the cells, of one vector of units: from the gates that were kept (gates.h), what the units
 * remember, and dh; dz, out, are the gradients of the pre-activations. */
#ifndef PYLSTM_DERIVATIVES_H
#define PYLSTM_DERIVATIVES_H

#include "kernels/gates.h"

/* With tanh' = 1 - tanh^2 and sigmoid' = sigmoid (1 - sigmoid):
 *   dc += dh o (1 - tanh(c)^2)
 *   dz_o = dh tanh(c) o (1 - o)      dz_f = dc c_prev f (1 - f)
 *   dz_i = dc g i (1 - i)            dz_g = dc i (1 - g^2)
 *   dc_prev = dc f */
VEC_INLINE void lstm_backward(const real *gate, vec c_prev, vec c, vec dh, real *dc, real *dz)
{
    const vec one = splat(1);
    vec i = load(gate), f = load(gate + LANES), g = load(gate + 2 * LANES), o = load(gate + 3 * LANES);
    vec tanh_c = vec_tanh(c), dc_here = load(dc) + dh * o * (one - tanh_c * tanh_c);
    store(dz, dc_here * g * i * (one - i));
    store(dz + LANES, dc_here * c_prev * f * (one - f));
    store(dz + 2 * LANES, dc_here * i * (one - g * g));
    store(dz + 3 * LANES, dh * tanh_c * o * (one - o));
    store(dc, dc_here * f);
}

/* With m = (R h_prev)_n + b_hn, which the reset gate multiplies:
 *   dz_n = dh (1 - z) (1 - n^2)      dm = dz_n r
 *   dz_r = dz_n m r (1 - r)          dz_z = dh (h_prev - n) z (1 - z)
 *   dh_prev = dh z, beside what goes through R */
VEC_INLINE void gru_backward(const real *gate, vec h_prev, real *dh, real *dz)
{
    const vec one = splat(1);
    vec r = load(gate), z = load(gate + LANES), n = load(gate + 2 * LANES), m = load(gate + 3 * LANES);
    vec dh_here = load(dh), dn = dh_here * (one - z) * (one - n * n);
    store(dz, dn);
    store(dz + LANES, dn * m * r * (one - r));
    store(dz + 2 * LANES, dh_here * (h_prev - n) * z * (one - z));
    store(dz + 3 * LANES, dn * r);
    store(dh, dh_here * z);
}

/* dz = dh (1 - h^2), or dh where h > 0. */
VEC_INLINE void rnn_backward(bool relu, vec h, vec dh, real *dz)
{
    store(dz, relu ? zero_where(~less(splat(0), h), dh) : dh * (splat(1) - h * h));
}

/* What one vector of units reads and writes on the way back. */
struct unit_back {
    const real *gates;
    const real *own_prev, *own; /* what they remember of themselves: c of an LSTM, else h */
    real *dh, *dc, *dz;
};

/* Of any cell. */
VEC_INLINE void unit_backward(int cell, bool relu, struct unit_back u)
{
    if (cell == PYLSTM_LSTM)
        lstm_backward(u.gates, load(u.own_prev), load(u.own), load(u.dh), u.dc, u.dz);
    else if (cell == PYLSTM_GRU)
        gru_backward(u.gates, load(u.own_prev), u.dh, u.dz);
    else
        rnn_backward(relu, load(u.own), load(u.dh), u.dz);
}

#endif
