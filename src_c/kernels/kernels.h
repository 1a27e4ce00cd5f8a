/* The inner loops, compiled once per dtype and instruction set. Which unit lies where:
 *
 * Hidden units are taken in blocks of `lanes` (the vector width); H is padded up to whole blocks, H' = n_blocks *
 * lanes, with zero weights, which keeps the padding at zero throughout. A unit has V pre-activations, and G gates in W
 * and in R (cell.h). Columns of pre-activations, gates and their gradients lie block by block, within a block one after
 * the other: [n_blocks][V][lanes], for which [VH'] stands below.
 *
 * Forward panels [n_blocks][K][G][lanes]: for each block, the weights of input k of all its units, K = I + H. Backward
 * panels [n_blocks of columns][GH'][up to 4][lanes]: for each block of up to 4 * lanes columns of a weight matrix, its
 * rows in the order of the dgates.
 *
 * Each pre-activation is summed in one order, whatever the number of rows and the width of vectors: from the bias, over
 * the inputs, then over h_{t-1}, one (fused, where there is FMA) multiply-add at a time. So a row has the same bits
 * alone and in any batch. */
#ifndef PYLSTM_KERNELS_H
#define PYLSTM_KERNELS_H

#include "kernels/cell.h"
#include "kernels/rows.h"

/* pylstm_x_avx2_f32 and its likes, in a file that is compiled for an instruction set: PYLSTM_ISA_NAME is its name. */
#define ISA_NAME(x) ISA_NAME_OF(x, PYLSTM_ISA_NAME)
#define ISA_NAME_OF(x, isa) ISA_NAME_IS(x, isa)
#define ISA_NAME_IS(x, isa) NAME(x##_##isa)

static inline struct const_rows rows_from(struct const_rows rows, ptrdiff_t row, ptrdiff_t column)
{
    rows.data += row * rows.stride + column;
    return rows;
}

/* A stretch of rows, which are one after the other in some array. */
struct segment {
    const real *a; /* the first */
    ptrdiff_t n_rows;
};

/* Gradients of pre-activations: row r of block b at data + (b * block_rows + r) * n_vectors * lanes, of which n_used
 * vectors, from `first` on, are meant. */
struct dgates {
    const real *data;
    ptrdiff_t block_rows, n_vectors, first, n_used;
};

/* The caller's rows of a step, of one sequence each; the rows of a sequence lie one after the other. */
struct places {
    const ptrdiff_t *first;  /* of each sequence */
    const ptrdiff_t *length; /* of each, if steps begin at its end; else NULL */
    ptrdiff_t step;
};

static inline ptrdiff_t row_at(struct places at, ptrdiff_t r)
{
    return at.first[r] + (at.length ? at.length[r] - 1 - at.step : at.step);
}

struct head_kernels; /* kernels/head.h */

struct kernels {
    ptrdiff_t lanes;

    /* Row r of `to`, n values, = the caller's row row_at(at, r) of `from`; and the other way round. Added to what is
     * there if `adds`. */
    void (*gather)(ptrdiff_t n_rows, ptrdiff_t n, bool adds, struct const_rows from, struct places at, struct rows to);
    void (*scatter)(ptrdiff_t n_rows, ptrdiff_t n, bool adds, struct const_rows from, struct rows to, struct places at);

    /* out = start + x panels[:, :n_x]; start: a bias, or rows. */
    void (*project)(pylstm_cell cell, ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x, ptrdiff_t n_k,
                    const real *panels, struct const_block_rows start, struct const_rows x, struct block_rows out);

    /* One step: z = start + x panels[:, :n_x] + h_prev panels[:, n_x:n_k], then the cell.
     *   holds        gates are held where `gates`, whose data is not NULL then, is not NaN before the step
     *   last_first   the blocks from the last to the first: no other bits. Steps that turn round, one after the other,
     *                find in cache what the one before read last; one direction finds nothing of what is too large
     *   start        a bias (stride 0), or rows (projected ahead, with n_x = 0 inputs skipped)
     *   x            rows of the inputs k = 0 .. n_x; with n_x = 0 unread
     *   first_k      where h's part of the panels starts
     *   h_prev       [n_rows][H'], or NULL: zeros
     *   own_prev     [n_rows][H'], what these units remember: of an LSTM c_{t-1}, which may be c; of a GRU h_{t-1}
     *   c            [n_rows][H'], out; of an LSTM only
     *   h            [n_rows][H'], out
     *   gates        out, where `start` may be, or data of NULL; an RNN has none, and reads no own_prev */
    void (*step)(pylstm_cell cell, bool holds, bool last_first, ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x,
                 ptrdiff_t first_k, ptrdiff_t n_k, const real *panels, struct const_block_rows start,
                 struct const_rows x, const real *h_prev, const real *own_prev, real *c, real *h,
                 struct block_rows gates);

    /* The same step and the same bits from the weights as they lie, weight_ih [GH][n_x], weight_hh [GH][H], bias [VH]:
     * for so few rows that packing would cost more than it saves. */
    void (*step_unpacked)(pylstm_cell cell, ptrdiff_t n_rows, ptrdiff_t hidden, ptrdiff_t n_x, const real *weight_ih,
                          const real *weight_hh, const real *bias, struct const_rows x, const real *h_prev,
                          const real *own_prev, real *c, real *h, struct block_rows gates);

    /* The cell's derivative: gates and own_prev as in `step`, own [n_rows][H'], c of an LSTM, else h.
     *   dh      [n_rows][H']; out, of a GRU: what goes on to h_{t-1} directly
     *   dc      [n_rows][H'], in: of c_t, out: of c_{t-1}; of an LSTM only
     *   dgates  out: row r of block b at dgates + (b * block_rows + r) * V * lanes */
    void (*cell_backward)(pylstm_cell cell, ptrdiff_t n_rows, ptrdiff_t n_blocks, struct const_block_rows gates,
                          const real *own_prev, const real *own, real *dh, real *dc, real *dgates,
                          ptrdiff_t block_rows);

    /* out [n_rows][columns padded to lanes] = dgates backward panels; added to what is there if `adds`. */
    void (*back_product)(bool last_first, ptrdiff_t n_rows, ptrdiff_t n_blocks, struct dgates dgates,
                         const real *panels, ptrdiff_t n_column_vectors, bool adds, struct rows out);

    /* dpanels [n_blocks][n_k (part of a panel of panel_k)][n_used][lanes] += sum over the rows of the segments, which
     * are one after the other those of dgates, of a[0 .. n_k] (outer) dgates.
     *
     *   packed  [rows][n_k], scratch */
    void (*outer)(ptrdiff_t n_segments, const struct segment *segments, ptrdiff_t a_stride, ptrdiff_t n_k,
                  ptrdiff_t n_blocks, struct dgates dgates, real *packed, real *dpanels, ptrdiff_t panel_k);

    /* What back_product and outer do, sums in the same order, with weights and their gradient as they lie: where
     * packing would cost more than it saves. */

    /* out [n_rows][n_k] += dz [n_rows][n_j] weight [n_j][n_k] */
    void (*back_unpacked)(ptrdiff_t n_rows, ptrdiff_t n_j, ptrdiff_t n_k, struct const_rows dz,
                          struct const_rows weight, struct rows out);

    /* dweight = sum over the rows of the segments, which are one after the other those of dgates, of dgates (outer)
     * a[0 .. n_k]; added to what is there if `adds`.
     *
     *   gates    unit u of the v-th vector that is used belongs to row gates[v] * hidden + u of dweight
     *   packed   [rows][n_k padded to lanes], scratch
     *   dweight  [GH][n_k], from the first of the n_units on */
    void (*outer_unpacked)(ptrdiff_t n_segments, const struct segment *segments, ptrdiff_t a_stride, ptrdiff_t n_k,
                           ptrdiff_t n_units, struct dgates dgates, const ptrdiff_t *gates, ptrdiff_t hidden, bool adds,
                           real *packed, real *dweight);

    /* dbias [VH'] += the sum of n_rows rows of dgates. */
    void (*column_sums)(ptrdiff_t n_rows, ptrdiff_t n_blocks, struct dgates dgates, real *dbias);

    /* out, rows of n_outputs, = bias + a weight', each sum in one order, by itself; a rows of n_k, weight
     * [n_outputs][n_k]. */
    void (*dense)(ptrdiff_t n_rows, ptrdiff_t n_outputs, ptrdiff_t n_k, struct const_rows a, const real *weight,
                  const real *bias, struct rows out);

    /* The sum of the squares of values [n]. */
    double (*sum_of_squares)(ptrdiff_t n, const real *values);

    /* gradient [n] += scale * weights [n]; returns the sum of the squares of the weights. */
    double (*decay)(ptrdiff_t n, double scale, const real *weights, real *gradient);

    /* One step of the solver on parameters [n] with scale * gradient [n]; counts t up. */
    void (*solver_step)(ptrdiff_t n, real *parameters, const real *gradient, double scale, pylstm_solver *solver);

    /* out [n] = tanh(in), sigmoid(in): for the tests. n is a multiple of lanes. */
    void (*tanh)(ptrdiff_t n, const real *in, real *out);
    void (*sigmoid)(ptrdiff_t n, const real *in, real *out);

    const struct head_kernels *head; /* the dense layer on top in training */
};

#endif
