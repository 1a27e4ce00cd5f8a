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
#include "kernels/step.h"

/* pylstm_x_avx2_f32 and its likes, in a file that is compiled for an instruction set: PYLSTM_ISA_NAME is its name. */
#define ISA_NAME(x) ISA_NAME_OF(x, PYLSTM_ISA_NAME)
#define ISA_NAME_OF(x, isa) ISA_NAME_IS(x, isa)
#define ISA_NAME_IS(x, isa) NAME(x##_##isa)

static inline struct const_rows rows_from(struct const_rows rows, ptrdiff_t row, ptrdiff_t column)
{
    rows.data += row * rows.stride + column;
    return rows;
}

/* Rows of n_k columns, in stretches of which each is somewhere, its rows `stride` apart. */
struct segment {
    const real *a; /* the first row */
    ptrdiff_t n_rows;
};

struct stretches {
    const struct segment *segments;
    ptrdiff_t n_segments, stride, n_k;
};

/* The way back of a step's rows, as struct step_rows. */
struct back_rows {
    ptrdiff_t n, n_blocks;
    struct const_block_rows gates;
    const real *own_prev, *own; /* [n][H'] before and after the step: c of an LSTM, else h */
    real *dh;                   /* [n][H']; out, of a GRU: what goes on to h_{t-1} directly */
    real *dc;                   /* [n][H'], in: of c_t, out: of c_{t-1}; of an LSTM only */
    struct block_rows dgates;   /* out */
};

/* Gradients of pre-activations: row r of block b at data + (b * block_rows + r) * n_vectors * lanes, of which n_used
 * vectors, from `first` on, are meant. */
struct dgates {
    const real *data;
    ptrdiff_t n_rows, n_blocks, block_rows, n_vectors, first, n_used;
};

/* The gradient of weights as they lie, of the n_units units from `first` on: [GH][n_k]. Unit u of the v-th vector of
 * dgates that is used belongs to row gates[v] * hidden + u. */
struct plain_gradient {
    real *first;
    const ptrdiff_t *gates;
    ptrdiff_t hidden, n_units;
    bool adds; /* to what is there */
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

    /* Into gates: bias + W x, of rows of any steps. Reads of the rows n and x. */
    void (*project)(const struct step_weights *weights, const struct step_rows *rows);

    /* A step: the pre-activations, bias + W x + R h_prev, then the cell. */
    void (*step)(const struct step *step);

    /* The same step and the same bits from the weights as they lie: for so few rows that packing would cost more than
     * it saves. */
    void (*step_unpacked)(const struct plain_weights *weights, const struct step_rows *rows);

    /* The cell's derivative. */
    void (*cell_backward)(pylstm_cell cell, const struct back_rows *rows);

    /* out [n_rows][columns padded to lanes] = dgates backward panels; added to what is there if `adds`. The panels from
     * the last to the first if last_first. */
    void (*back_product)(const struct dgates *dgates, const real *panels, ptrdiff_t n_column_vectors, bool last_first,
                         bool adds, struct rows out);

    /* dpanels [n_blocks][n_k (part of a panel of panel_k)][n_used][lanes] += sum over the rows, which are those of
     * dgates, of a (outer) dgates.
     *
     *   packed  [rows][n_k], scratch */
    void (*outer)(const struct stretches *a, const struct dgates *dgates, real *packed, real *dpanels,
                  ptrdiff_t panel_k);

    /* The same where a is one-hot: 1 in the column tokens[row], else 0. */
    void (*outer_tokens)(const ptrdiff_t *tokens, const struct dgates *dgates, real *dpanels, ptrdiff_t panel_k);

    /* What back_product and outer do, sums in the same order, with weights and their gradient as they lie: where
     * packing would cost more than it saves. */

    /* out [n_rows][n_k] += dz [n_rows][n_j] weight [n_j][n_k] */
    void (*back_unpacked)(ptrdiff_t n_rows, ptrdiff_t n_j, ptrdiff_t n_k, struct const_rows dz,
                          struct const_rows weight, struct rows out);

    /*   packed  [rows][n_k padded to lanes], scratch */
    void (*outer_unpacked)(const struct stretches *a, const struct dgates *dgates, real *packed,
                           const struct plain_gradient *to);

    /* dbias [VH'] += the sum of the rows of dgates. */
    void (*column_sums)(const struct dgates *dgates, real *dbias);

    /* out, rows of n_outputs, = bias + a weight', each sum in one order, by itself; a rows of n_k, weight
     * [n_outputs][n_k]. */
    void (*dense)(ptrdiff_t n_rows, ptrdiff_t n_outputs, ptrdiff_t n_k, struct const_rows a, const real *weight,
                  const real *bias, struct rows out);

    /* values [n] to e^(value - largest), in place; returns their sum. What is infinitely small becomes next to nothing.
     */
    real (*exponentials)(ptrdiff_t n, real *values);

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
