/* The kernels of every instruction set, and the packing of weights for them, against plain loops in double precision;
 * and to the bit where kernels.h promises that. Included once per dtype, after PYLSTM_REAL_BITS is defined. */
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include "kernels/isa.h"
#include "kernels/panels.h"

#include "check.h"

#include <float.h>

#if PYLSTM_REAL_BITS == 32
#define REAL_EPSILON FLT_EPSILON
#else
#define REAL_EPSILON DBL_EPSILON
#endif

/* The cells, written from the words of pylstm.h, kernels.h and step.h, and not from cell.c: the inputs go into the
 * first n_gates of n_vectors pre-activations, by these gates of W; h_{t-1} into the last, by these gates of R. */
static const struct layout {
    pylstm_cell cell;
    const char *name;
    ptrdiff_t n_gates, n_vectors, x_gates[4], h_gates[4], biases[4];
} layouts[] = {
    /* i, f, g, o */
    {PYLSTM_LSTM, "LSTM", 4, 4, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}},
    /* n of the inputs, r, z, n of h_{t-1}; the gates are stacked r, z, n, the bias r, z, n, b_hn */
    {PYLSTM_GRU, "GRU", 3, 4, {2, 0, 1}, {0, 1, 2}, {2, 0, 1, 3}},
    {PYLSTM_RNN_TANH, "RNN with tanh", 1, 1, {0}, {0}, {0}},
    {PYLSTM_RNN_RELU, "RNN with relu", 1, 1, {0}, {0}, {0}},
};

enum { MOST_ROWS = 13, MANY_ROWS = 269 };

/* So many weights of the inputs, or of h, are asked for ahead (tile.h). */
#define PREFETCHED ((double)((768 << 10) / sizeof(real)))

/* What is under test: the weights of one layer, plain and in the order of the kernels. Everything padded is laid out
 * here by place() and friends, written from the words of kernels.h, not by panels.c. */
static struct setting {
    const struct kernels *kernels;
    const char *isa;
    const struct layout *of;
    pylstm_cell cell;
    ptrdiff_t n_gates, n_vectors; /* G, V */
    ptrdiff_t lanes, n_rows, hidden, n_x, n_k;
    ptrdiff_t n_blocks, width;          /* H' */
    real *weight_ih, *weight_hh, *bias; /* [GH][I], [GH][H], [VH] */
    real *panels, *packed_bias;         /* [n_blocks][K][G][lanes], [VH'] */
    real *x, *h_prev;                   /* n_rows of I at x_stride; [n_rows][H'] */
    real *own_prev; /* [n_rows][H'], NULL where the cell reads none; not h_prev, to tell them apart */
    ptrdiff_t x_stride;
} at;

static void expect(int holds, const char *what)
{
    if (!holds)
        printf("%s of %s, %s, float%d: %td rows, %td hidden, %td inputs\n", what, at.of->name, at.isa, PYLSTM_REAL_BITS,
               at.n_rows, at.hidden, at.n_x);
    CHECK(holds);
}

/* Sums here have up to some hundred terms of about 1; what goes wrong otherwise is of that size too. */
static int near(real got, double expected)
{
    return fabs((double)got - expected) <= 1000 * (double)REAL_EPSILON * (1 + fabs(expected));
}

static int same_bits(const real *a, const real *b, ptrdiff_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* NaN, so that reading what nobody has written shows. */
static real *new_array(ptrdiff_t n)
{
    real *values = allocate((size_t)n * sizeof *values);
    for (ptrdiff_t k = 0; k < n; k++)
        values[k] = (real)NAN;
    return values;
}

static real *random_reals(ptrdiff_t n, double scale)
{
    real *values = new_array(n);
    for (ptrdiff_t k = 0; k < n; k++)
        values[k] = (real)(draw() * scale);
    return values;
}

static real *copy_of(const real *values, ptrdiff_t n)
{
    real *copy = new_array(n);
    memcpy(copy, values, (size_t)n * sizeof *copy);
    return copy;
}

/* Of n arrays that lie block by block, within a block one after the other: of a unit in the array `which`. */
static ptrdiff_t place_of(ptrdiff_t n, ptrdiff_t which, ptrdiff_t unit)
{
    return (unit / at.lanes * n + which) * at.lanes + unit % at.lanes;
}

/* Of a unit of pre-activation v in a row [VH']. */
static ptrdiff_t place(ptrdiff_t v, ptrdiff_t unit)
{
    return place_of(at.n_vectors, v, unit);
}

/* Of input k's weight in forward panels: of the g-th gate there. */
static ptrdiff_t forward_place(ptrdiff_t k, ptrdiff_t g, ptrdiff_t unit)
{
    return place_of(at.n_k * at.n_gates, k * at.n_gates + g, unit);
}

/* Of a unit of pre-activation v in row r of dgates. */
static ptrdiff_t dgates_place(ptrdiff_t block_rows, ptrdiff_t r, ptrdiff_t v, ptrdiff_t unit)
{
    return place_of(block_rows * at.n_vectors, r * at.n_vectors + v, unit);
}

/* Of a weight in backward panels of a matrix of n_vectors * lanes columns. */
static ptrdiff_t backward_place(ptrdiff_t n_vectors, ptrdiff_t g, ptrdiff_t unit, ptrdiff_t column)
{
    ptrdiff_t full = 4 * at.lanes, block = column / full;
    ptrdiff_t block_width = (n_vectors - 4 * block < 4 ? n_vectors - 4 * block : 4) * at.lanes;
    return block * full * at.n_gates * at.width + place_of(at.n_gates, g, unit) * block_width + column % full;
}

/* [n_rows][H'] with zeros for padding. */
static real *random_state(ptrdiff_t n_rows)
{
    real *state = random_reals(n_rows * at.width, 1);
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t u = at.hidden; u < at.width; u++)
            state[r * at.width + u] = 0;
    return state;
}

/* [n_blocks][block_rows][V][lanes] with zeros for padding, and NaN before row `first`. */
static real *random_dgates(ptrdiff_t block_rows, ptrdiff_t first)
{
    real *dgates = new_array(block_rows * at.n_vectors * at.width);
    for (ptrdiff_t r = first; r < block_rows; r++)
        for (ptrdiff_t v = 0; v < at.n_vectors; v++)
            for (ptrdiff_t u = 0; u < at.width; u++)
                dgates[dgates_place(block_rows, r, v, u)] = u < at.hidden ? (real)draw() : 0;
    return dgates;
}

/* Of input k, into the g-th of the pre-activations that inputs like it go into. */
static real weight_of(ptrdiff_t k, ptrdiff_t g, ptrdiff_t unit)
{
    if (k < at.n_x)
        return at.weight_ih[(at.of->x_gates[g] * at.hidden + unit) * at.n_x + k];
    return at.weight_hh[(at.of->h_gates[g] * at.hidden + unit) * at.hidden + k - at.n_x];
}

/* Of the arrays that a cell has none of, no part is there either. */
static real *part(real *values, ptrdiff_t from)
{
    return values ? values + from : NULL;
}

static void set_up(ptrdiff_t n_rows, ptrdiff_t hidden, ptrdiff_t n_x)
{
    at.n_rows = n_rows, at.hidden = hidden, at.n_x = n_x, at.n_k = n_x + hidden;
    at.n_blocks = (hidden + at.lanes - 1) / at.lanes, at.width = at.n_blocks * at.lanes;
    double scale = 3 / sqrt((double)at.n_k);
    at.weight_ih = random_reals(at.n_gates * hidden * n_x, scale);
    at.weight_hh = random_reals(at.n_gates * hidden * hidden, scale);
    at.bias = random_reals(at.n_vectors * hidden, 1);
    at.panels = new_array(at.n_k * at.n_gates * at.width);
    at.packed_bias = new_array(at.n_vectors * at.width);
    for (ptrdiff_t u = 0; u < at.width; u++) {
        for (ptrdiff_t v = 0; v < at.n_vectors; v++)
            at.packed_bias[place(v, u)] = u < hidden ? at.bias[at.of->biases[v] * hidden + u] : 0;
        for (ptrdiff_t g = 0; g < at.n_gates; g++)
            for (ptrdiff_t k = 0; k < at.n_k; k++)
                at.panels[forward_place(k, g, u)] = u < hidden ? weight_of(k, g, u) : 0;
    }
    at.x_stride = n_x + n_rows % 3;
    at.x = random_reals((n_rows - 1) * at.x_stride + n_x, 1);
    at.h_prev = random_state(n_rows);
    at.own_prev = at.n_vectors > 1 ? random_state(n_rows) : NULL;
}

static void tear_down(void)
{
    real *all[] = {at.weight_ih, at.weight_hh, at.bias, at.panels, at.packed_bias, at.x, at.h_prev, at.own_prev};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* ------------------------------------------------------------------ panels */

static struct packing packing(ptrdiff_t n, const ptrdiff_t *gates)
{
    return (struct packing){at.lanes, at.hidden, n, gates};
}

static void check_pack_forward(void)
{
    ptrdiff_t size = at.n_k * at.n_gates * at.width, bias_size = at.n_vectors * at.width;
    ptrdiff_t size_ih = at.n_gates * at.hidden * at.n_x, size_hh = at.n_gates * at.hidden * at.hidden;
    struct range blocks = {0, at.n_blocks};
    struct packing as_x = packing(at.n_gates, at.of->x_gates), as_h = packing(at.n_gates, at.of->h_gates);
    struct packing as_bias = packing(at.n_vectors, at.of->biases);
    real *panels = new_array(size), *bias = new_array(bias_size), *values = new_array(at.hidden);
    NAME(pack_forward)(as_x, blocks, at.n_x, at.weight_ih, 0, at.n_k, panels);
    NAME(pack_forward)(as_h, blocks, at.hidden, at.weight_hh, at.n_x, at.n_k, panels);
    NAME(pack_forward)(as_bias, blocks, 1, at.bias, 0, 1, bias);
    expect(same_bits(panels, at.panels, size), "pack_forward");
    expect(same_bits(bias, at.packed_bias, bias_size), "pack_forward (bias)");

    real *weight_ih = new_array(size_ih), *weight_hh = new_array(size_hh);
    real *plain_bias = new_array(at.n_vectors * at.hidden);
    NAME(unpack_forward)(as_x, blocks, at.n_x, weight_ih, 0, at.n_k, panels);
    NAME(unpack_forward)(as_h, blocks, at.hidden, weight_hh, at.n_x, at.n_k, panels);
    NAME(unpack_forward)(as_bias, blocks, 1, plain_bias, 0, 1, bias);
    expect(same_bits(weight_ih, at.weight_ih, size_ih), "unpack_forward (inputs)");
    expect(same_bits(weight_hh, at.weight_hh, size_hh), "unpack_forward (recurrent)");
    expect(same_bits(plain_bias, at.bias, at.n_vectors * at.hidden), "unpack_forward (bias)");
    for (ptrdiff_t v = 0; v < at.n_vectors; v++) {
        NAME(unpack_gate)(at.lanes, at.hidden, v, at.n_vectors * at.lanes, bias, values);
        expect(same_bits(values, at.bias + at.of->biases[v] * at.hidden, at.hidden), "unpack_gate");
    }
    free(panels);
    free(bias);
    free(values);
    free(weight_ih);
    free(weight_hh);
    free(plain_bias);
}

/* A matrix of weights, and the pre-activations from `first` on that it goes into. */
struct matrix {
    const real *weight; /* [GH][columns] */
    ptrdiff_t columns, first;
    const ptrdiff_t *gates;
};

static struct matrix matrix_ih(void)
{
    return (struct matrix){at.weight_ih, at.n_x, 0, at.of->x_gates};
}

static struct matrix matrix_hh(void)
{
    return (struct matrix){at.weight_hh, at.hidden, at.n_vectors - at.n_gates, at.of->h_gates};
}

/* Backward panels [GH' * n_vectors * lanes], by the words of kernels.h. */
static real *backward_panels(struct matrix m, ptrdiff_t n_vectors)
{
    real *panels = new_array(at.n_gates * at.width * n_vectors * at.lanes);
    for (ptrdiff_t g = 0; g < at.n_gates; g++)
        for (ptrdiff_t u = 0; u < at.width; u++)
            for (ptrdiff_t column = 0; column < n_vectors * at.lanes; column++)
                panels[backward_place(n_vectors, g, u, column)] =
                    u < at.hidden && column < m.columns ? m.weight[(m.gates[g] * at.hidden + u) * m.columns + column]
                                                        : 0;
    return panels;
}

static void check_pack_backward(struct matrix m)
{
    ptrdiff_t n_vectors = blocks_of(m.columns, at.lanes), size = at.n_gates * at.width * n_vectors * at.lanes;
    real *expected = backward_panels(m, n_vectors), *panels = new_array(size);
    NAME(pack_backward)(packing(at.n_gates, m.gates), (struct range){0, n_vectors}, m.columns, m.weight, panels);
    expect(same_bits(panels, expected, size), "pack_backward");
    free(expected);
    free(panels);
}

/* ----------------------------------------------------------------- forward */

/* Pre-activation v: the bias, W x, and R h, if that is asked for, as far as they go into it. */
static double pre_activation(ptrdiff_t row, ptrdiff_t v, ptrdiff_t unit, bool with_h)
{
    ptrdiff_t g_of_h = v - (at.n_vectors - at.n_gates);
    double sum = (double)at.bias[at.of->biases[v] * at.hidden + unit];
    for (ptrdiff_t k = 0; k < at.n_x && v < at.n_gates; k++)
        sum += (double)weight_of(k, v, unit) * (double)at.x[row * at.x_stride + k];
    for (ptrdiff_t k = 0; k < at.hidden && with_h && g_of_h >= 0; k++)
        sum += (double)weight_of(at.n_x + k, g_of_h, unit) * (double)at.h_prev[row * at.width + k];
    return sum;
}

/* Gates, and what is projected ahead, [n_rows][V][H'], lie row by row, or with an odd number of rows block by block:
 * from a row on, and where one of them is. */
static struct block_rows gates_from(real *gates, ptrdiff_t row)
{
    ptrdiff_t of_block = at.n_vectors * at.lanes;
    struct block_rows rows = {gates, of_block * at.n_blocks, of_block};
    if (at.n_rows % 2)
        rows.stride = of_block, rows.block_stride = at.n_rows * of_block;
    rows.data = gates ? gates + row * rows.stride : NULL;
    return rows;
}

static struct const_block_rows const_gates(real *gates)
{
    struct block_rows rows = gates_from(gates, 0);
    return (struct const_block_rows){gates, rows.stride, rows.block_stride};
}

static ptrdiff_t gate_place(ptrdiff_t row, ptrdiff_t v, ptrdiff_t unit)
{
    struct block_rows rows = gates_from(NULL, 0);
    return row * rows.stride + unit / at.lanes * rows.block_stride + v * at.lanes + unit % at.lanes;
}

static struct step_weights packed_weights(void)
{
    return (struct step_weights){
        .cell = (int)at.cell,
        .n_blocks = at.n_blocks,
        .n_x = at.n_x,
        .n_h = at.hidden,
        .panels = at.panels,
        .bias = at.packed_bias,
    };
}

static struct plain_weights plain_weights(void)
{
    return (struct plain_weights){(int)at.cell, at.n_x, at.hidden, at.weight_ih, at.weight_hh, at.bias};
}

static void run_project(real *out)
{
    struct step_weights weights = packed_weights();
    struct step_rows rows = {.n = at.n_rows, .x = {at.x, at.x_stride}, .gates = gates_from(out, 0)};
    at.kernels->project(&weights, &rows);
}

static void check_project(void)
{
    ptrdiff_t size = at.n_rows * at.n_vectors * at.width;
    real *out = new_array(size);
    run_project(out);
    int holds = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        for (ptrdiff_t v = 0; v < at.n_vectors; v++)
            for (ptrdiff_t u = 0; u < at.width; u++)
                holds &= near(out[gate_place(r, v, u)], u < at.hidden ? pre_activation(r, v, u, false) : 0);
    expect(holds, "project");
    free(out);
}

static double plain_sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

/* One unit: z [V] becomes the gates as a step leaves them; returns h. `own` is c or h, before and after. */
static double plain_cell(double z[4], double *own)
{
    if (at.cell == PYLSTM_LSTM) {
        for (int gate = 0; gate < 4; gate++)
            z[gate] = gate == 2 ? tanh(z[gate]) : plain_sigmoid(z[gate]);
        *own = z[1] * *own + z[0] * z[2];
        return z[3] * tanh(*own);
    }
    if (at.cell == PYLSTM_GRU) {
        double r = plain_sigmoid(z[1]), update = plain_sigmoid(z[2]), n = tanh(z[0] + r * z[3]);
        z[0] = r, z[1] = update, z[2] = n; /* and h_{t-1}'s part of n */
        *own = n + update * (*own - n);
    } else {
        *own = at.cell == PYLSTM_RNN_TANH ? tanh(z[0]) : fmax(0, z[0]);
    }
    return *own;
}

/* What a step gives: c [n_rows][H'] of an LSTM, h [n_rows][H'], gates, which an RNN has none of. */
struct step_out {
    real *c, *h, *gates;
};

static struct step_out new_step_out(void)
{
    ptrdiff_t n = at.n_rows * at.width;
    return (struct step_out){at.cell == PYLSTM_LSTM ? new_array(n) : NULL, new_array(n),
                             at.n_vectors > 1 ? new_array(at.n_vectors * n) : NULL};
}

static void free_step_out(struct step_out out)
{
    free(out.c);
    free(out.h);
    free(out.gates);
}

static int same_step(struct step_out a, struct step_out b)
{
    ptrdiff_t n = at.n_rows * at.width;
    return (!a.c || same_bits(a.c, b.c, n)) && same_bits(a.h, b.h, n) &&
           (!a.gates || same_bits(a.gates, b.gates, at.n_vectors * n));
}

/* Rows [row, row + n_rows) of a step from a given h_prev and own_prev. */
static struct step_rows step_rows(ptrdiff_t row, ptrdiff_t n_rows, real *h_prev, real *own_prev, struct step_out out)
{
    ptrdiff_t from = row * at.width;
    return (struct step_rows){
        .n = n_rows,
        .x = {at.x + row * at.x_stride, at.x_stride},
        .h_prev = part(h_prev, from),
        .own_prev = part(own_prev, from),
        .c = part(out.c, from),
        .h = out.h + from,
        .gates = gates_from(out.gates, row),
    };
}

/* With the inputs inside the step; a part of the rows with the last blocks first. */
static void run_step(ptrdiff_t row, ptrdiff_t n_rows, real *h_prev, real *own_prev, struct step_out out)
{
    struct step_weights weights = packed_weights();
    struct step step = {
        .weights = &weights,
        .rows = step_rows(row, n_rows, h_prev, own_prev, out),
        .last_first = row > 0,
    };
    at.kernels->step(&step);
}

/* The packed weights' way, or that of the weights as they lie; all rows. */
static void run_unpacked(real *h_prev, real *own_prev, struct step_out out)
{
    struct plain_weights weights = plain_weights();
    struct step_rows rows = step_rows(0, at.n_rows, h_prev, own_prev, out);
    at.kernels->step_unpacked(&weights, &rows);
}

static void check_step_values(struct step_out out)
{
    int holds = 1, padding = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        ptrdiff_t row = r * at.width;
        for (ptrdiff_t u = 0; u < at.hidden; u++) {
            double z[4], own = at.own_prev ? (double)at.own_prev[row + u] : 0;
            for (ptrdiff_t v = 0; v < at.n_vectors; v++)
                z[v] = pre_activation(r, v, u, true);
            holds &= near(out.h[row + u], plain_cell(z, &own)) && (!out.c || near(out.c[row + u], own));
            for (ptrdiff_t v = 0; v < at.n_vectors && out.gates; v++)
                holds &= near(out.gates[gate_place(r, v, u)], z[v]);
        }
        for (ptrdiff_t u = at.hidden; u < at.width; u++)
            padding &= out.h[row + u] == 0 && (!out.c || out.c[row + u] == 0);
    }
    expect(holds, "step");
    expect(padding, "padding of step");
}

/* The inputs' part from `projected`. */
static void run_projected(real *projected, struct step_out out)
{
    struct step_weights weights = packed_weights();
    struct step step = {
        .weights = &weights,
        .rows = step_rows(0, at.n_rows, at.h_prev, at.own_prev, out),
        .projected = const_gates(projected),
        .last_first = true,
    };
    step.rows.x = (struct const_rows){NULL, 0};
    at.kernels->step(&step);
}

/* Projected ahead the way forward.c does it: with a tape, where the gates go. */
static void check_projected_ahead(struct step_out expected)
{
    ptrdiff_t size = at.n_rows * at.n_vectors * at.width;
    struct step_out out = new_step_out();
    real *projected = new_array(size), *gates = out.gates;
    run_project(projected);
    if (gates) {
        memcpy(gates, projected, (size_t)size * sizeof *projected);
        run_projected(gates, out);
        expect(same_step(out, expected), "step, projected ahead in place");
    }
    out.gates = NULL;
    run_projected(projected, out);
    expect(same_step(out, (struct step_out){expected.c, expected.h, NULL}), "step, projected ahead");
    out.gates = gates;
    free_step_out(out);
    free(projected);
}

/* The padding of what it gives is not said, and not compared. */
static int same_units(struct step_out a, struct step_out b)
{
    int same = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        ptrdiff_t row = r * at.width;
        same &= same_bits(a.h + row, b.h + row, at.hidden) && (!a.c || same_bits(a.c + row, b.c + row, at.hidden));
        for (ptrdiff_t v = 0; v < at.n_vectors && a.gates; v++)
            for (ptrdiff_t u = 0; u < at.hidden; u++) {
                ptrdiff_t here = gate_place(r, v, u);
                same &= same_bits(a.gates + here, b.gates + here, 1);
            }
    }
    return same;
}

static void check_unpacked(struct step_out expected)
{
    struct step_out out = new_step_out(), again = new_step_out();
    run_unpacked(at.h_prev, at.own_prev, out);
    expect(same_units(out, expected), "step_unpacked");
    if (again.c)
        memcpy(again.c, at.own_prev, (size_t)(at.n_rows * at.width) * sizeof *again.c);
    run_unpacked(at.h_prev, again.c ? again.c : at.own_prev, (struct step_out){again.c, again.h, NULL});
    expect(same_units((struct step_out){again.c, again.h, NULL}, out), "step_unpacked, in place and without gates");
    free_step_out(again);
    free_step_out(out);
}

/* NULL is a state of zeros. */
static void check_first_step(void)
{
    struct step_out zeros = new_step_out(), none = new_step_out();
    real *h_prev = new_array(at.n_rows * at.width);
    memset(h_prev, 0, (size_t)(at.n_rows * at.width) * sizeof *h_prev);
    run_step(0, at.n_rows, h_prev, at.own_prev, zeros);
    run_step(0, at.n_rows, NULL, at.own_prev, none);
    expect(same_step(none, zeros), "step without h_prev");
    run_unpacked(NULL, at.own_prev, none);
    expect(same_units(none, zeros), "step_unpacked without h_prev");
    free(h_prev);
    free_step_out(zeros);
    free_step_out(none);
}

static void check_step(void)
{
    struct step_out out = new_step_out(), other = new_step_out();
    run_step(0, at.n_rows, at.h_prev, at.own_prev, out);
    check_step_values(out);

    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        run_step(r, 1, at.h_prev, at.own_prev, other);
    expect(same_step(out, other), "step, row by row");

    if (other.c)
        memcpy(other.c, at.own_prev, (size_t)(at.n_rows * at.width) * sizeof *other.c);
    run_step(0, at.n_rows, at.h_prev, other.c ? other.c : at.own_prev, (struct step_out){other.c, other.h, NULL});
    expect(same_step(out, other), "step, in place and without gates");

    check_projected_ahead(out);
    check_unpacked(out);
    check_first_step();
    free_step_out(out);
    free_step_out(other);
}

/* ---------------------------------------------------------------- backward */

/* Gates as the step leaves them: units of the padding have pre-activations of 0. */
static real *random_gates(void)
{
    real *gates = new_array(at.n_rows * at.n_vectors * at.width);
    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        for (ptrdiff_t v = 0; v < at.n_vectors; v++)
            for (ptrdiff_t u = 0; u < at.width; u++) {
                double value = u < at.hidden ? draw() : 0;
                bool is_sigmoid = at.cell == PYLSTM_LSTM ? v != 2 : v < 2;
                gates[gate_place(r, v, u)] = (real)(is_sigmoid ? 0.5 + 0.5 * value : value);
            }
    return gates;
}

/* dz of the pre-activations, dc of the step before, and in dh what goes on to h_{t-1} directly; of one unit. */
static void plain_cell_backward(const double gates[4], double own_prev, double own, double *dh, double *dc,
                                double dz[4])
{
    if (at.cell == PYLSTM_LSTM) {
        double i = gates[0], f = gates[1], g = gates[2], o = gates[3], cosh_c = cosh(own);
        double dc_total = *dc + *dh * o / (cosh_c * cosh_c);
        dz[0] = dc_total * g * (i - i * i);
        dz[1] = dc_total * own_prev * (f - f * f);
        dz[2] = dc_total * i * (1 - g) * (1 + g);
        dz[3] = *dh * tanh(own) * (o - o * o);
        *dc = dc_total * f;
    } else if (at.cell == PYLSTM_GRU) {
        double r = gates[0], z = gates[1], n = gates[2], of_h = gates[3];
        dz[0] = *dh * (1 - z) * (1 - n) * (1 + n);
        dz[1] = dz[0] * of_h * (r - r * r);
        dz[2] = *dh * (own_prev - n) * (z - z * z);
        dz[3] = dz[0] * r;
        *dh *= z;
    } else {
        dz[0] = at.cell == PYLSTM_RNN_TANH ? *dh * (1 - own) * (1 + own) : own > 0 ? *dh : 0;
    }
}

static void check_cell_backward(void)
{
    ptrdiff_t first = at.n_rows % 4, block_rows = first + at.n_rows, n = at.n_rows * at.width, n_v = at.n_vectors;
    real *gates = n_v > 1 ? random_gates() : NULL, *own = random_state(at.n_rows), *dh = random_state(at.n_rows);
    real *dc = at.cell == PYLSTM_LSTM ? random_state(at.n_rows) : NULL, *dc_in = dc ? copy_of(dc, n) : NULL;
    real *dh_in = copy_of(dh, n), *dgates = new_array(block_rows * n_v * at.width);
    for (ptrdiff_t k = 0; k < n && at.cell == PYLSTM_RNN_RELU; k++) /* half of them at rest */
        own[k] = own[k] > 0 ? own[k] : 0;
    struct back_rows rows = {
        .n = at.n_rows,
        .n_blocks = at.n_blocks,
        .gates = const_gates(gates),
        .own_prev = at.own_prev,
        .own = own,
        .dh = dh,
        .dc = dc,
        .dgates = {dgates + first * n_v * at.lanes, n_v * at.lanes, block_rows * n_v * at.lanes},
    };
    at.kernels->cell_backward(at.cell, &rows);
    int holds = 1, untouched = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t u = 0; u < at.width; u++) {
            ptrdiff_t k = r * at.width + u;
            double gate_values[4] = {0}, dz[4], dc_here = dc ? (double)dc_in[k] : 0, dh_here = (double)dh_in[k];
            for (ptrdiff_t v = 0; v < n_v && gates; v++)
                gate_values[v] = (double)gates[gate_place(r, v, u)];
            plain_cell_backward(gate_values, at.own_prev ? (double)at.own_prev[k] : 0, (double)own[k], &dh_here,
                                &dc_here, dz);
            holds &= near(dh[k], dh_here) && (!dc || near(dc[k], dc_here));
            for (ptrdiff_t v = 0; v < n_v; v++) {
                real got = dgates[dgates_place(block_rows, first + r, v, u)];
                holds &= u < at.hidden ? near(got, dz[v]) : got == 0;
            }
        }
    }
    for (ptrdiff_t r = 0; r < first; r++)
        for (ptrdiff_t v = 0; v < n_v; v++)
            for (ptrdiff_t u = 0; u < at.width; u++)
                untouched &= isnan(dgates[dgates_place(block_rows, r, v, u)]) != 0;
    expect(holds, "cell_backward");
    expect(untouched, "other rows of cell_backward");
    real *all[] = {gates, own, dh, dh_in, dc, dc_in, dgates};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* The dgates from row `first_row` on that a matrix has to do with. */
static struct dgates dgates_for(struct matrix m, const real *dgates, ptrdiff_t block_rows, ptrdiff_t first_row)
{
    return (struct dgates){
        .data = dgates + first_row * at.n_vectors * at.lanes,
        .n_rows = block_rows - first_row,
        .n_blocks = at.n_blocks,
        .block_rows = block_rows,
        .n_vectors = at.n_vectors,
        .first = m.first,
        .n_used = at.n_gates,
    };
}

static void check_back_product(struct matrix m, bool adds)
{
    ptrdiff_t first = at.n_rows % 3, block_rows = first + at.n_rows, n_vectors = blocks_of(m.columns, at.lanes);
    ptrdiff_t padded = n_vectors * at.lanes, stride = padded + at.n_rows % 2, size = (at.n_rows - 1) * stride + padded;
    real *dgates = random_dgates(block_rows, first), *panels = backward_panels(m, n_vectors);
    real *out = adds ? random_reals(size, 1) : new_array(size), *before = copy_of(out, size);
    struct dgates all = dgates_for(m, dgates, block_rows, first);
    at.kernels->back_product(&all, panels, n_vectors, at.n_rows % 2, adds, (struct rows){out, stride});
    int holds = 1, between = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t column = 0; column < padded; column++) {
            double sum = adds ? (double)before[r * stride + column] : 0;
            for (ptrdiff_t row = 0; column < m.columns && row < at.n_gates * at.hidden; row++) {
                ptrdiff_t g = row / at.hidden, u = row % at.hidden;
                sum += (double)m.weight[(m.gates[g] * at.hidden + u) * m.columns + column] *
                       (double)dgates[dgates_place(block_rows, first + r, m.first + g, u)];
            }
            holds &= column < m.columns ? near(out[r * stride + column], sum)
                                        : out[r * stride + column] == (adds ? before[r * stride + column] : 0);
        }
        for (ptrdiff_t column = padded; column < stride && r + 1 < at.n_rows; column++)
            between &= same_bits(out + r * stride + column, before + r * stride + column, 1);
    }
    expect(holds, adds ? "back_product, added" : "back_product");
    expect(between, "what lies between the rows of back_product");
    free(dgates);
    free(panels);
    free(out);
    free(before);
}

/* Segments of 1, 2, ... rows (of up to n_rows in all), each in an array of its own. */
enum { MAX_SEGMENTS = 32 };

static ptrdiff_t make_segments(ptrdiff_t a_stride, ptrdiff_t n_a, struct segment *segments, real **arrays)
{
    ptrdiff_t n_segments = 0;
    for (ptrdiff_t done = 0, n; done < at.n_rows; done += n, n_segments++) {
        ptrdiff_t left = at.n_rows - done;
        n = n_segments + 1 < left ? n_segments + 1 : left;
        arrays[n_segments] = random_reals((n - 1) * a_stride + n_a, 1);
        segments[n_segments] = (struct segment){arrays[n_segments], n};
    }
    return n_segments;
}

/* The matrix's part, from input first_k on, of panels of n_k inputs; the rest stays. */
static void check_outer(struct matrix m, ptrdiff_t first_k)
{
    ptrdiff_t n_a = m.columns, a_stride = n_a + at.n_rows % 3, block_rows = at.n_rows + 1;
    ptrdiff_t size = at.n_k * at.n_gates * at.width;
    struct segment segments[MAX_SEGMENTS];
    real *arrays[MAX_SEGMENTS], *dgates = random_dgates(block_rows, 1);
    real *before = random_reals(size, 1), *dpanels = copy_of(before, size);
    ptrdiff_t n_segments = make_segments(a_stride, n_a, segments, arrays);
    real *packed = random_reals(at.n_rows * n_a, 1);
    struct stretches a = {segments, n_segments, a_stride, n_a};
    struct dgates all = dgates_for(m, dgates, block_rows, 1);
    at.kernels->outer(&a, &all, packed, dpanels + first_k * at.n_gates * at.lanes, at.n_k);
    int holds = 1, rest = 1;
    for (ptrdiff_t k = 0; k < at.n_k; k++) {
        for (ptrdiff_t unit_gate = 0; unit_gate < at.n_gates * at.width; unit_gate++) {
            ptrdiff_t g = unit_gate % at.n_gates, u = unit_gate / at.n_gates, here = forward_place(k, g, u);
            if (k < first_k || k >= first_k + n_a) {
                rest &= same_bits(dpanels + here, before + here, 1);
                continue;
            }
            double sum = (double)before[here];
            for (ptrdiff_t s = 0, row = 0; s < n_segments; row += segments[s++].n_rows)
                for (ptrdiff_t r = 0; r < segments[s].n_rows; r++)
                    sum += (double)segments[s].a[r * a_stride + k - first_k] *
                           (double)dgates[dgates_place(block_rows, 1 + row + r, m.first + g, u)];
            holds &= near(dpanels[here], sum);
        }
    }
    expect(holds, "outer");
    expect(rest, "the rest of the panels of outer");
    for (ptrdiff_t s = 0; s < n_segments; s++)
        free(arrays[s]);
    free(packed);
    free(dgates);
    free(before);
    free(dpanels);
}

static void check_column_sums(void)
{
    ptrdiff_t first = at.n_rows % 2, block_rows = first + at.n_rows, n_v = at.n_vectors;
    real *dgates = random_dgates(block_rows, first), *before = random_reals(n_v * at.width, 1);
    real *dbias = copy_of(before, n_v * at.width);
    struct dgates all = {dgates + first * n_v * at.lanes, at.n_rows, at.n_blocks, block_rows, n_v, 0, n_v};
    at.kernels->column_sums(&all, dbias);
    int holds = 1;
    for (ptrdiff_t v = 0; v < n_v; v++) {
        for (ptrdiff_t u = 0; u < at.width; u++) {
            double sum = (double)before[place(v, u)];
            for (ptrdiff_t r = first; r < block_rows; r++)
                sum += (double)dgates[dgates_place(block_rows, r, v, u)];
            holds &= near(dbias[place(v, u)], sum);
        }
    }
    expect(holds, "column_sums");
    free(dgates);
    free(before);
    free(dbias);
}

/* Some units of one gate, of weights as they lie. */
static void check_back_unpacked(void)
{
    ptrdiff_t n_j = at.hidden < at.lanes + 5 ? at.hidden : at.lanes + 5, n_k = at.n_k, dz_stride = n_j + at.n_rows % 2;
    ptrdiff_t stride = n_k + at.n_rows % 3, size = (at.n_rows - 1) * stride + n_k,
              weight_size = (n_j - 1) * stride + n_k;
    real *dz = random_reals((at.n_rows - 1) * dz_stride + n_j, 1), *weight = random_reals(weight_size, 1);
    real *out = random_reals(size, 1), *before = copy_of(out, size);
    at.kernels->back_unpacked(at.n_rows, n_j, n_k, (struct const_rows){dz, dz_stride},
                              (struct const_rows){weight, stride}, (struct rows){out, stride});
    int holds = 1, between = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t k = 0; k < n_k; k++) {
            double sum = (double)before[r * stride + k];
            for (ptrdiff_t j = 0; j < n_j; j++)
                sum += (double)dz[r * dz_stride + j] * (double)weight[j * stride + k];
            holds &= near(out[r * stride + k], sum);
        }
        for (ptrdiff_t k = n_k; k < stride && r + 1 < at.n_rows; k++)
            between &= same_bits(out + r * stride + k, before + r * stride + k, 1);
    }
    expect(holds, "back_unpacked");
    expect(between, "what lies between the rows of back_unpacked");
    free(dz);
    free(weight);
    free(out);
    free(before);
}

/* Of the units from the second block on, if there are so many; of no rows too. */
static void check_outer_unpacked(struct matrix m, bool adds, bool no_rows)
{
    ptrdiff_t n_a = m.columns, a_stride = n_a + at.n_rows % 3, block_rows = at.n_rows + 1;
    ptrdiff_t first = at.n_blocks > 2 ? at.lanes : 0, size = at.n_gates * at.hidden * n_a;
    struct segment segments[MAX_SEGMENTS];
    real *arrays[MAX_SEGMENTS], *dgates = random_dgates(block_rows, 1);
    real *dweight = adds || first > 0 ? random_reals(size, 1) : new_array(size), *before = copy_of(dweight, size);
    ptrdiff_t n_segments = make_segments(a_stride, n_a, segments, arrays), n_made = n_segments;
    real *packed = new_array(at.n_rows * blocks_of(n_a, at.lanes) * at.lanes);
    struct dgates own = dgates_for(m, dgates, block_rows, 1);
    own.data += first / at.lanes * block_rows * at.n_vectors * at.lanes;
    n_segments = no_rows ? 0 : n_segments;
    own.n_rows = no_rows ? 0 : own.n_rows;
    struct stretches a = {segments, n_segments, a_stride, n_a};
    struct plain_gradient gradient = {dweight + first * n_a, m.gates, at.hidden, at.hidden - first, adds};
    at.kernels->outer_unpacked(&a, &own, packed, &gradient);
    int holds = 1, rest = 1;
    for (ptrdiff_t row = 0; row < at.n_gates * at.hidden; row++) {
        ptrdiff_t v = row / at.hidden, u = row % at.hidden;
        for (ptrdiff_t k = 0; k < n_a; k++) {
            ptrdiff_t here = (m.gates[v] * at.hidden + u) * n_a + k;
            if (u < first) {
                rest &= same_bits(dweight + here, before + here, 1);
                continue;
            }
            double sum = adds ? (double)before[here] : 0;
            for (ptrdiff_t s = 0, done = 0; s < n_segments; done += segments[s++].n_rows)
                for (ptrdiff_t r = 0; r < segments[s].n_rows; r++)
                    sum += (double)segments[s].a[r * a_stride + k] *
                           (double)dgates[dgates_place(block_rows, 1 + done + r, m.first + v, u)];
            holds &= near(dweight[here], sum);
        }
    }
    expect(holds, no_rows ? "outer_unpacked of no rows" : "outer_unpacked");
    expect(rest, "the rest of the rows of outer_unpacked");
    for (ptrdiff_t s = 0; s < n_made; s++)
        free(arrays[s]);
    real *all[] = {packed, dgates, dweight, before};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* Rows of `hidden` values, of sequences of two to four rows, from their beginnings and from their ends; there and back,
 * and between rows what was there before. */
static void check_moves(bool adds, bool reverse)
{
    ptrdiff_t n = at.hidden, stride = n + 3, n_callers = 0;
    ptrdiff_t first[MANY_ROWS], length[MANY_ROWS];
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        length[r] = 2 + r % 3;
        first[r] = n_callers;
        n_callers += length[r];
    }
    struct places places = {first, reverse ? length : NULL, 1};
    real *callers = random_reals(n_callers * stride, 1), *rows = random_reals(at.n_rows * at.width, 1);
    real *gathered = copy_of(rows, at.n_rows * at.width), *scattered = copy_of(callers, n_callers * stride);
    at.kernels->gather(at.n_rows, n, adds, (struct const_rows){callers, stride}, places,
                       (struct rows){gathered, at.width});
    at.kernels->scatter(at.n_rows, n, adds, (struct const_rows){rows, at.width}, (struct rows){scattered, stride},
                        places);
    real *expect_gathered = copy_of(rows, at.n_rows * at.width);
    real *expect_scattered = copy_of(callers, n_callers * stride);
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        ptrdiff_t callers_row = first[r] + (reverse ? length[r] - 2 : 1);
        for (ptrdiff_t k = 0; k < n; k++) {
            real *here = expect_gathered + r * at.width + k, *there = expect_scattered + callers_row * stride + k;
            *here = (adds ? *here : 0) + callers[callers_row * stride + k];
            *there = (adds ? *there : 0) + rows[r * at.width + k];
        }
    }
    expect(same_bits(gathered, expect_gathered, at.n_rows * at.width), "gather");
    expect(same_bits(scattered, expect_scattered, n_callers * stride), "scatter");
    free(callers);
    free(rows);
    free(gathered);
    free(scattered);
    free(expect_gathered);
    free(expect_scattered);
}

/* The rows of at.x as what the dense layer reads: weight_hh for its weights, up to all the rows that it has. */
static void check_dense(void)
{
    ptrdiff_t most = at.n_gates * at.hidden, n_outputs = at.n_rows + at.n_x < most ? at.n_rows + at.n_x : most;
    real *a = random_reals(at.n_rows * at.hidden, 1), *out = new_array(at.n_rows * n_outputs);
    real *alone = new_array(n_outputs);
    at.kernels->dense(at.n_rows, n_outputs, at.hidden, (struct const_rows){a, at.hidden}, at.weight_hh, at.bias,
                      (struct rows){out, n_outputs});
    int holds = 1, same = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t j = 0; j < n_outputs; j++) {
            double sum = (double)at.bias[j];
            for (ptrdiff_t k = 0; k < at.hidden; k++)
                sum += (double)a[r * at.hidden + k] * (double)at.weight_hh[j * at.hidden + k];
            holds &= near(out[r * n_outputs + j], sum);
        }
        at.kernels->dense(1, n_outputs, at.hidden, (struct const_rows){a + r * at.hidden, 0}, at.weight_hh, at.bias,
                          (struct rows){alone, 0});
        same &= same_bits(alone, out + r * n_outputs, n_outputs);
    }
    expect(holds, "dense");
    expect(same, "dense, row by row");
    free(a);
    free(out);
    free(alone);
}

/* --------------------------------------------------------------------- all */

static void check_sizes(ptrdiff_t n_rows, ptrdiff_t hidden, ptrdiff_t n_x)
{
    set_up(n_rows, hidden, n_x);
    check_project();
    check_step();
    check_cell_backward();
    check_back_product(matrix_hh(), at.cell == PYLSTM_GRU || n_rows % 2 == 0);
    check_outer(matrix_hh(), n_x);
    check_column_sums();
    check_dense();
    if (at.n_k > 0)
        check_back_unpacked();
    check_outer_unpacked(matrix_hh(), n_rows % 2 == 0, false);
    check_outer_unpacked(matrix_hh(), n_rows % 2 != 0, true);
    check_moves(n_rows % 2 == 0, false);
    check_moves(n_rows % 2 != 0, true);
    if (n_x > 0) {
        check_back_product(matrix_ih(), false);
        check_outer(matrix_ih(), 0);
        check_outer_unpacked(matrix_ih(), n_rows % 2 != 0, false);
    }
    if (n_rows == 1) { /* packing knows of no rows */
        check_pack_forward();
        check_pack_backward(matrix_hh());
        check_pack_backward(matrix_ih());
    }
    tear_down();
}

static void check_cell(const struct layout *of)
{
    static const ptrdiff_t hidden[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 37, 65}, n_x[] = {0, 1, 2, 5, 16, 17};
    enum { N_HIDDEN = sizeof hidden / sizeof *hidden, N_N_X = sizeof n_x / sizeof *n_x };
    at.of = of, at.cell = of->cell, at.n_gates = of->n_gates, at.n_vectors = of->n_vectors;
    for (ptrdiff_t n_rows = 1; n_rows <= MOST_ROWS; n_rows++)
        for (int k = 0; k < N_HIDDEN; k++) /* each pair of two of the three sizes */
            check_sizes(n_rows, hidden[k], n_x[(n_rows + k) % N_N_X]);
    /* more blocks of a row than are pending at once; weights that are prefetched, and more units than a part of a panel
     * has of an LSTM's doubles one by one, in fours of blocks and one to three more */
    ptrdiff_t pending = 36 * 4 / of->n_vectors, least = (ptrdiff_t)fmax(sqrt(PREFETCHED / (double)of->n_gates), 256);
    ptrdiff_t large = (least / (4 * at.lanes) + 1) * 4 * at.lanes + (1 + of->cell % 2) * at.lanes + 1;
    check_sizes(1, pending * at.lanes + 1, 3);
    check_sizes(8, large, large - at.lanes);
    /* more rows than are pending at once, and than two parts of the weights' gradient have, of whole and odd blocks */
    check_sizes(MANY_ROWS, 4 * at.lanes, 5 * at.lanes);
    check_sizes(MANY_ROWS, 33, 5);
}

static void check_kernels(pylstm_isa isa)
{
    at.kernels = NAME(kernels)(isa);
    at.isa = pylstm_isa_name((int)isa);
    at.lanes = at.kernels->lanes;
    for (size_t k = 0; k < sizeof layouts / sizeof *layouts; k++)
        check_cell(&layouts[k]);
}

static void check_all_kernels(void)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        if (is_tested(isa))
            check_kernels((pylstm_isa)isa);
}

#endif
