/* The LSTM cell, forward and backward (equations at the head of pylstm.h). */
#include "cell.h"

static real sigmoid(real z)
{
    return 1 / (1 + EXP(-z));
}

void NAME(cell_forward)(ptrdiff_t rows, ptrdiff_t hidden, real *gates, const real *c_prev, real *c, real *h)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        real *i = gates + r * 4 * hidden, *f = i + hidden, *g = f + hidden, *o = g + hidden;
        for (ptrdiff_t u = 0; u < hidden; u++) {
            ptrdiff_t at = r * hidden + u;
            i[u] = sigmoid(i[u]);
            f[u] = sigmoid(f[u]);
            g[u] = TANH(g[u]);
            o[u] = sigmoid(o[u]);
            c[at] = f[u] * c_prev[at] + i[u] * g[u];
            h[at] = o[u] * TANH(c[at]);
        }
    }
}

/* With tanh' = 1 - tanh^2 and sigmoid' = sigmoid (1 - sigmoid):
 *   dc += dh o (1 - tanh(c)^2)
 *   dz_o = dh tanh(c) o (1 - o)      dz_f = dc c_prev f (1 - f)
 *   dz_i = dc g i (1 - i)            dz_g = dc i (1 - g^2)
 *   dc_prev = dc f */
void NAME(cell_backward)(ptrdiff_t rows, ptrdiff_t hidden, const real *gates, const real *c_prev, const real *c,
                         const real *dh, real *dc, real *dgates)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *i = gates + r * 4 * hidden, *f = i + hidden, *g = f + hidden, *o = g + hidden;
        real *di = dgates + r * 4 * hidden, *df = di + hidden, *dg = df + hidden, *d_o = dg + hidden;
        for (ptrdiff_t u = 0; u < hidden; u++) {
            ptrdiff_t at = r * hidden + u;
            real tanh_c = TANH(c[at]);
            real dc_total = dc[at] + dh[at] * o[u] * (1 - tanh_c * tanh_c);
            di[u] = dc_total * g[u] * i[u] * (1 - i[u]);
            df[u] = dc_total * c_prev[at] * f[u] * (1 - f[u]);
            dg[u] = dc_total * i[u] * (1 - g[u] * g[u]);
            d_o[u] = dh[at] * tanh_c * o[u] * (1 - o[u]);
            dc[at] = dc_total * f[u];
        }
    }
}
