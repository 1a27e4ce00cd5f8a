/* The kernels of every instruction set, and the packing of weights for them, against plain loops in double precision;
 * and to the bit where kernels.h promises that. Included once per dtype, after PYLSTM_REAL_BITS is defined. */
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include "isa.h"
#include "panels.h"

#include "check.h"

#include <float.h>

#if PYLSTM_REAL_BITS == 32
#define REAL_EPSILON FLT_EPSILON
#else
#define REAL_EPSILON DBL_EPSILON
#endif

/* What is under test: the weights of one layer, plain and in the order of the kernels. Everything padded is laid out
 * here by place() and friends, written from the words of kernels.h, not by panels.c. */
static struct setting {
    const struct kernels *kernels;
    const char *isa;
    ptrdiff_t lanes, n_rows, hidden, n_x, n_k;
    ptrdiff_t n_blocks, width;          /* H' */
    real *weight_ih, *weight_hh, *bias; /* [4H][I], [4H][H], [4H] */
    real *panels, *packed_bias;         /* [n_blocks][K][4][lanes], [4H'] */
    real *x, *h_prev, *c_prev;          /* n_rows of I at x_stride; [n_rows][H'] */
    ptrdiff_t x_stride;
} at;

static void expect(int holds, const char *what)
{
    if (!holds)
        printf("%s of %s, float%d: %td rows, %td hidden, %td inputs\n", what, at.isa, PYLSTM_REAL_BITS, at.n_rows,
               at.hidden, at.n_x);
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

/* Of a gate's unit in a row [4H']. */
static ptrdiff_t place(ptrdiff_t gate, ptrdiff_t unit)
{
    return (unit / at.lanes * 4 + gate) * at.lanes + unit % at.lanes;
}

/* Of input k's weight in forward panels. */
static ptrdiff_t forward_place(ptrdiff_t k, ptrdiff_t gate, ptrdiff_t unit)
{
    return ((unit / at.lanes * at.n_k + k) * 4 + gate) * at.lanes + unit % at.lanes;
}

/* Of a gate's unit in row r of dgates. */
static ptrdiff_t dgates_place(ptrdiff_t block_rows, ptrdiff_t r, ptrdiff_t gate, ptrdiff_t unit)
{
    return ((unit / at.lanes * block_rows + r) * 4 + gate) * at.lanes + unit % at.lanes;
}

/* Of a weight in backward panels of a matrix of n_vectors * lanes columns. */
static ptrdiff_t backward_place(ptrdiff_t n_vectors, ptrdiff_t gate, ptrdiff_t unit, ptrdiff_t column)
{
    ptrdiff_t full = 4 * at.lanes, block = column / full;
    ptrdiff_t block_width = (n_vectors - 4 * block < 4 ? n_vectors - 4 * block : 4) * at.lanes;
    return block * full * 4 * at.width + place(gate, unit) * block_width + column % full;
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

/* [n_blocks][block_rows][4][lanes] with zeros for padding, and NaN before row `first`. */
static real *random_dgates(ptrdiff_t block_rows, ptrdiff_t first)
{
    real *dgates = new_array(block_rows * 4 * at.width);
    for (ptrdiff_t r = first; r < block_rows; r++)
        for (ptrdiff_t gate = 0; gate < 4; gate++)
            for (ptrdiff_t u = 0; u < at.width; u++)
                dgates[dgates_place(block_rows, r, gate, u)] = u < at.hidden ? (real)draw() : 0;
    return dgates;
}

static real weight_of(ptrdiff_t k, ptrdiff_t gate, ptrdiff_t unit)
{
    ptrdiff_t row = gate * at.hidden + unit;
    return k < at.n_x ? at.weight_ih[row * at.n_x + k] : at.weight_hh[row * at.hidden + k - at.n_x];
}

static void set_up(ptrdiff_t n_rows, ptrdiff_t hidden, ptrdiff_t n_x)
{
    at.n_rows = n_rows, at.hidden = hidden, at.n_x = n_x, at.n_k = n_x + hidden;
    at.n_blocks = (hidden + at.lanes - 1) / at.lanes, at.width = at.n_blocks * at.lanes;
    double scale = 3 / sqrt((double)at.n_k);
    at.weight_ih = random_reals(4 * hidden * n_x, scale);
    at.weight_hh = random_reals(4 * hidden * hidden, scale);
    at.bias = random_reals(4 * hidden, 1);
    at.panels = new_array(at.n_k * 4 * at.width);
    at.packed_bias = new_array(4 * at.width);
    for (ptrdiff_t gate = 0; gate < 4; gate++) {
        for (ptrdiff_t u = 0; u < at.width; u++) {
            at.packed_bias[place(gate, u)] = u < hidden ? at.bias[gate * hidden + u] : 0;
            for (ptrdiff_t k = 0; k < at.n_k; k++)
                at.panels[forward_place(k, gate, u)] = u < hidden ? weight_of(k, gate, u) : 0;
        }
    }
    at.x_stride = n_x + n_rows % 3;
    at.x = random_reals((n_rows - 1) * at.x_stride + n_x, 1);
    at.h_prev = random_state(n_rows);
    at.c_prev = random_state(n_rows);
}

static void tear_down(void)
{
    real *all[] = {at.weight_ih, at.weight_hh, at.bias, at.panels, at.packed_bias, at.x, at.h_prev, at.c_prev};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* ------------------------------------------------------------------ panels */

static void check_pack_forward(void)
{
    ptrdiff_t size = at.n_k * 4 * at.width;
    struct range blocks = {0, at.n_blocks};
    real *panels = new_array(size), *bias = new_array(4 * at.width), *values = new_array(at.hidden);
    NAME(pack_forward)(blocks, at.lanes, at.hidden, at.n_x, at.weight_ih, 0, at.n_k, panels);
    NAME(pack_forward)(blocks, at.lanes, at.hidden, at.hidden, at.weight_hh, at.n_x, at.n_k, panels);
    NAME(pack_bias)(blocks, at.lanes, at.hidden, at.bias, bias);
    expect(same_bits(panels, at.panels, size), "pack_forward");
    expect(same_bits(bias, at.packed_bias, 4 * at.width), "pack_bias");

    real *weight_ih = new_array(4 * at.hidden * at.n_x), *weight_hh = new_array(4 * at.hidden * at.hidden);
    real *plain_bias = new_array(4 * at.hidden);
    NAME(unpack_forward)(blocks, at.lanes, at.hidden, at.n_x, weight_ih, 0, at.n_k, panels);
    NAME(unpack_forward)(blocks, at.lanes, at.hidden, at.hidden, weight_hh, at.n_x, at.n_k, panels);
    NAME(unpack_bias)(blocks, at.lanes, at.hidden, plain_bias, bias);
    expect(same_bits(weight_ih, at.weight_ih, 4 * at.hidden * at.n_x), "unpack_forward (inputs)");
    expect(same_bits(weight_hh, at.weight_hh, 4 * at.hidden * at.hidden), "unpack_forward (recurrent)");
    expect(same_bits(plain_bias, at.bias, 4 * at.hidden), "unpack_bias");
    for (ptrdiff_t gate = 0; gate < 4; gate++) {
        NAME(unpack_gate)(at.lanes, at.hidden, gate, bias, values);
        expect(same_bits(values, at.bias + gate * at.hidden, at.hidden), "unpack_gate");
    }
    free(panels);
    free(bias);
    free(values);
    free(weight_ih);
    free(weight_hh);
    free(plain_bias);
}

/* Backward panels [4H' * n_vectors * lanes] of weight [4H][columns], by the words of kernels.h. */
static real *backward_panels(const real *weight, ptrdiff_t columns, ptrdiff_t n_vectors)
{
    real *panels = new_array(4 * at.width * n_vectors * at.lanes);
    for (ptrdiff_t gate = 0; gate < 4; gate++)
        for (ptrdiff_t u = 0; u < at.width; u++)
            for (ptrdiff_t column = 0; column < n_vectors * at.lanes; column++)
                panels[backward_place(n_vectors, gate, u, column)] =
                    u < at.hidden && column < columns ? weight[(gate * at.hidden + u) * columns + column] : 0;
    return panels;
}

static void check_pack_backward(const real *weight, ptrdiff_t columns)
{
    ptrdiff_t n_vectors = blocks_of(columns, at.lanes), size = 4 * at.width * n_vectors * at.lanes;
    real *expected = backward_panels(weight, columns, n_vectors), *panels = new_array(size);
    NAME(pack_backward)((struct range){0, n_vectors}, at.lanes, at.hidden, columns, weight, panels);
    expect(same_bits(panels, expected, size), "pack_backward");
    free(expected);
    free(panels);
}

/* ----------------------------------------------------------------- forward */

/* bias + W x (+ R h). */
static double pre_activation(ptrdiff_t row, ptrdiff_t gate, ptrdiff_t unit, ptrdiff_t n_k)
{
    double sum = (double)at.bias[gate * at.hidden + unit];
    for (ptrdiff_t k = 0; k < n_k; k++) {
        real a = k < at.n_x ? at.x[row * at.x_stride + k] : at.h_prev[row * at.width + k - at.n_x];
        sum += (double)weight_of(k, gate, unit) * (double)a;
    }
    return sum;
}

/* out [n_rows][4H'] */
static void run_project(struct const_rows start, real *out)
{
    at.kernels->project(at.n_rows, at.n_blocks, at.n_x, at.n_k, at.panels, start,
                        (struct const_rows){at.x, at.x_stride}, (struct rows){out, 4 * at.width});
}

static void check_project(void)
{
    ptrdiff_t row_size = 4 * at.width, size = at.n_rows * row_size;
    real *out = new_array(size), *again = new_array(size), *starts = new_array(size);
    run_project((struct const_rows){at.packed_bias, 0}, out);
    int holds = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        for (ptrdiff_t gate = 0; gate < 4; gate++)
            for (ptrdiff_t u = 0; u < at.width; u++)
                holds &=
                    near(out[r * row_size + place(gate, u)], u < at.hidden ? pre_activation(r, gate, u, at.n_x) : 0);
    expect(holds, "project");
    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        memcpy(starts + r * row_size, at.packed_bias, (size_t)row_size * sizeof *starts);
    run_project((struct const_rows){starts, row_size}, again);
    expect(same_bits(out, again, size), "project from rows");
    free(out);
    free(again);
    free(starts);
}

static double plain_sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

/* What a step gives: [n_rows][H'], [n_rows][H'], [n_rows][4H']. */
struct step_out {
    real *c, *h, *gates;
};

static struct step_out new_step_out(void)
{
    ptrdiff_t n = at.n_rows * at.width;
    return (struct step_out){new_array(n), new_array(n), new_array(4 * n)};
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
    return same_bits(a.c, b.c, n) && same_bits(a.h, b.h, n) && same_bits(a.gates, b.gates, 4 * n);
}

/* Rows [row, row + n_rows), with the inputs inside the step. */
static void run_step(ptrdiff_t row, ptrdiff_t n_rows, const real *c_prev, struct step_out out)
{
    ptrdiff_t from = row * at.width;
    at.kernels->step(n_rows, at.n_blocks, at.n_x, at.n_x, at.n_k, at.panels, (struct const_rows){at.packed_bias, 0},
                     (struct const_rows){at.x + row * at.x_stride, at.x_stride}, at.h_prev + from, c_prev + from,
                     out.c + from, out.h + from, out.gates ? out.gates + 4 * from : NULL);
}

static void check_step_values(struct step_out out)
{
    int holds = 1, padding = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t u = 0; u < at.hidden; u++) {
            double z[4], c, h;
            for (ptrdiff_t gate = 0; gate < 4; gate++) {
                z[gate] = pre_activation(r, gate, u, at.n_k);
                z[gate] = gate == 2 ? tanh(z[gate]) : plain_sigmoid(z[gate]);
                holds &= near(out.gates[r * 4 * at.width + place(gate, u)], z[gate]);
            }
            c = z[1] * (double)at.c_prev[r * at.width + u] + z[0] * z[2];
            h = z[3] * tanh(c);
            holds &= near(out.c[r * at.width + u], c) && near(out.h[r * at.width + u], h);
        }
        for (ptrdiff_t u = at.hidden; u < at.width; u++)
            padding &= out.c[r * at.width + u] == 0 && out.h[r * at.width + u] == 0;
    }
    expect(holds, "step");
    expect(padding, "padding of step");
}

/* Projected ahead the way layer.c does it: with a tape, where the gates go. */
static void check_projected_ahead(struct step_out expected)
{
    ptrdiff_t n = at.n_rows * at.width;
    struct step_out out = new_step_out();
    real *projected = new_array(4 * n);
    run_project((struct const_rows){at.packed_bias, 0}, projected);
    memcpy(out.gates, projected, (size_t)(4 * n) * sizeof *projected);
    at.kernels->step(at.n_rows, at.n_blocks, 0, at.n_x, at.n_k, at.panels, (struct const_rows){out.gates, 4 * at.width},
                     (struct const_rows){NULL, 0}, at.h_prev, at.c_prev, out.c, out.h, out.gates);
    expect(same_step(out, expected), "step, projected ahead in place");
    at.kernels->step(at.n_rows, at.n_blocks, 0, at.n_x, at.n_k, at.panels, (struct const_rows){projected, 4 * at.width},
                     (struct const_rows){NULL, 0}, at.h_prev, at.c_prev, out.c, out.h, NULL);
    expect(same_step(out, expected), "step, projected ahead");
    free_step_out(out);
    free(projected);
}

/* The padding of what it gives is not said, and not compared. */
static void check_unpacked(struct step_out expected)
{
    struct step_out out = new_step_out();
    at.kernels->step_unpacked(at.n_rows, at.hidden, at.n_x, at.weight_ih, at.weight_hh, at.bias,
                              (struct const_rows){at.x, at.x_stride}, at.h_prev, at.c_prev, out.c, out.h, out.gates);
    int same = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        ptrdiff_t row = r * at.width;
        same &= same_bits(out.c + row, expected.c + row, at.hidden);
        same &= same_bits(out.h + row, expected.h + row, at.hidden);
        for (ptrdiff_t gate = 0; gate < 4; gate++)
            for (ptrdiff_t u = 0; u < at.hidden; u++) {
                ptrdiff_t here = 4 * row + place(gate, u);
                same &= same_bits(out.gates + here, expected.gates + here, 1);
            }
    }
    expect(same, "step_unpacked");
    memcpy(out.c, at.c_prev, (size_t)(at.n_rows * at.width) * sizeof *out.c);
    real *h = new_array(at.n_rows * at.width);
    at.kernels->step_unpacked(at.n_rows, at.hidden, at.n_x, at.weight_ih, at.weight_hh, at.bias,
                              (struct const_rows){at.x, at.x_stride}, at.h_prev, out.c, out.c, h, NULL);
    expect(same_bits(h, out.h, at.n_rows * at.width), "step_unpacked, in place and without gates");
    free(h);
    free_step_out(out);
}

/* NULL is a state of zeros. */
static void check_first_step(void)
{
    struct const_rows bias = {at.packed_bias, 0}, x = {at.x, at.x_stride};
    struct step_out zeros = new_step_out(), none = new_step_out();
    real *kept = at.h_prev;
    at.h_prev = new_array(at.n_rows * at.width);
    memset(at.h_prev, 0, (size_t)(at.n_rows * at.width) * sizeof *at.h_prev);
    run_step(0, at.n_rows, at.c_prev, zeros);
    at.kernels->step(at.n_rows, at.n_blocks, at.n_x, at.n_x, at.n_k, at.panels, bias, x, NULL, at.c_prev, none.c,
                     none.h, none.gates);
    expect(same_step(none, zeros), "step without h_prev");
    at.kernels->step_unpacked(at.n_rows, at.hidden, at.n_x, at.weight_ih, at.weight_hh, at.bias, x, NULL, at.c_prev,
                              none.c, none.h, none.gates);
    int same = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        same &= same_bits(none.h + r * at.width, zeros.h + r * at.width, at.hidden);
    expect(same, "step_unpacked without h_prev");
    free(at.h_prev);
    at.h_prev = kept;
    free_step_out(zeros);
    free_step_out(none);
}

static void check_step(void)
{
    struct step_out out = new_step_out(), other = new_step_out();
    run_step(0, at.n_rows, at.c_prev, out);
    check_step_values(out);

    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        run_step(r, 1, at.c_prev, other);
    expect(same_step(out, other), "step, row by row");

    memcpy(other.c, at.c_prev, (size_t)(at.n_rows * at.width) * sizeof *other.c);
    run_step(0, at.n_rows, other.c, (struct step_out){other.c, other.h, NULL});
    expect(same_step(out, other), "step, in place and without gates");

    check_projected_ahead(out);
    check_unpacked(out);
    check_first_step();
    free_step_out(out);
    free_step_out(other);
}

/* ---------------------------------------------------------------- backward */

/* Rows [4H'] of gates as the step leaves them: units of the padding have pre-activations of 0. */
static real *random_gates(void)
{
    real *gates = new_array(at.n_rows * 4 * at.width);
    for (ptrdiff_t r = 0; r < at.n_rows; r++)
        for (ptrdiff_t gate = 0; gate < 4; gate++)
            for (ptrdiff_t u = 0; u < at.width; u++) {
                double value = u < at.hidden ? draw() : 0;
                gates[r * 4 * at.width + place(gate, u)] = (real)(gate == 2 ? value : 0.5 + 0.5 * value);
            }
    return gates;
}

/* dz of the four gates, and dc of the step before; of one unit. */
static void plain_cell_backward(const double gates[4], double c_prev, double c, double dh, double *dc, double dz[4])
{
    double i = gates[0], f = gates[1], g = gates[2], o = gates[3], cosh_c = cosh(c);
    double dc_total = *dc + dh * o / (cosh_c * cosh_c);
    dz[0] = dc_total * g * (i - i * i);
    dz[1] = dc_total * c_prev * (f - f * f);
    dz[2] = dc_total * i * (1 - g) * (1 + g);
    dz[3] = dh * tanh(c) * (o - o * o);
    *dc = dc_total * f;
}

static void check_cell_backward(void)
{
    ptrdiff_t first = at.n_rows % 4, block_rows = first + at.n_rows, n = at.n_rows * at.width;
    real *gates = random_gates(), *c = random_state(at.n_rows), *dh = random_state(at.n_rows);
    real *dc = random_state(at.n_rows), *dc_in = copy_of(dc, n), *dgates = new_array(block_rows * 4 * at.width);
    at.kernels->cell_backward(at.n_rows, at.n_blocks, gates, at.c_prev, c, dh, dc, dgates + first * 4 * at.lanes,
                              block_rows);
    int holds = 1, untouched = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t u = 0; u < at.width; u++) {
            ptrdiff_t k = r * at.width + u;
            double gate_values[4], dz[4], dc_here = (double)dc_in[k];
            for (ptrdiff_t gate = 0; gate < 4; gate++)
                gate_values[gate] = (double)gates[r * 4 * at.width + place(gate, u)];
            plain_cell_backward(gate_values, (double)at.c_prev[k], (double)c[k], (double)dh[k], &dc_here, dz);
            holds &= near(dc[k], dc_here);
            for (ptrdiff_t gate = 0; gate < 4; gate++) {
                real got = dgates[dgates_place(block_rows, first + r, gate, u)];
                holds &= u < at.hidden ? near(got, dz[gate]) : got == 0;
            }
        }
    }
    for (ptrdiff_t r = 0; r < first; r++)
        for (ptrdiff_t gate = 0; gate < 4; gate++)
            for (ptrdiff_t u = 0; u < at.width; u++)
                untouched &= isnan(dgates[dgates_place(block_rows, r, gate, u)]) != 0;
    expect(holds, "cell_backward");
    expect(untouched, "other rows of cell_backward");
    real *all[] = {gates, c, dh, dc, dc_in, dgates};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

static void check_back_product(const real *weight, ptrdiff_t columns)
{
    ptrdiff_t first = at.n_rows % 3, block_rows = first + at.n_rows, n_vectors = blocks_of(columns, at.lanes);
    ptrdiff_t padded = n_vectors * at.lanes, stride = padded + at.n_rows % 2;
    real *dgates = random_dgates(block_rows, first), *panels = backward_panels(weight, columns, n_vectors);
    real *out = new_array((at.n_rows - 1) * stride + padded);
    at.kernels->back_product(at.n_rows, at.n_blocks, dgates + first * 4 * at.lanes, block_rows, panels, n_vectors,
                             (struct rows){out, stride});
    int holds = 1;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        for (ptrdiff_t column = 0; column < padded; column++) {
            double sum = 0;
            for (ptrdiff_t row = 0; column < columns && row < 4 * at.hidden; row++)
                sum += (double)weight[row * columns + column] *
                       (double)dgates[dgates_place(block_rows, first + r, row / at.hidden, row % at.hidden)];
            holds &= column < columns ? near(out[r * stride + column], sum) : out[r * stride + column] == 0;
        }
    }
    expect(holds, "back_product");
    free(dgates);
    free(panels);
    free(out);
}

/* Segments of 1, 2, ... rows (of up to n_rows in all), in other places of dgates than of a, and the last apart. */
enum { MAX_SEGMENTS = 8 };

static ptrdiff_t make_segments(ptrdiff_t a_stride, ptrdiff_t n_a, struct segment *segments, real **arrays)
{
    ptrdiff_t n_segments = 0;
    for (ptrdiff_t done = 0, n; done < at.n_rows; done += n, n_segments++) {
        ptrdiff_t left = at.n_rows - done;
        n = n_segments + 1 < left ? n_segments + 1 : left;
        arrays[n_segments] = random_reals((n - 1) * a_stride + n_a, 1);
        /* from the end of dgates, whose row 0 no segment has */
        segments[n_segments] = (struct segment){arrays[n_segments], 1 + left - n, n};
    }
    return n_segments;
}

/* The part [first_k, first_k + n_a) of panels of n_k inputs; the rest stays. */
static void check_outer(ptrdiff_t first_k, ptrdiff_t n_a)
{
    ptrdiff_t a_stride = n_a + at.n_rows % 3, block_rows = at.n_rows + 1, size = at.n_k * 4 * at.width;
    struct segment segments[MAX_SEGMENTS];
    real *arrays[MAX_SEGMENTS], *dgates = random_dgates(block_rows, 1);
    real *before = random_reals(size, 1), *dpanels = copy_of(before, size);
    ptrdiff_t n_segments = make_segments(a_stride, n_a, segments, arrays);
    at.kernels->outer(n_segments, segments, a_stride, n_a, at.n_blocks, dgates, block_rows,
                      dpanels + first_k * 4 * at.lanes, at.n_k);
    int holds = 1, rest = 1;
    for (ptrdiff_t k = 0; k < at.n_k; k++) {
        for (ptrdiff_t unit_gate = 0; unit_gate < 4 * at.width; unit_gate++) {
            ptrdiff_t gate = unit_gate % 4, u = unit_gate / 4, here = forward_place(k, gate, u);
            if (k < first_k || k >= first_k + n_a) {
                rest &= same_bits(dpanels + here, before + here, 1);
                continue;
            }
            double sum = (double)before[here];
            for (ptrdiff_t s = 0; s < n_segments; s++)
                for (ptrdiff_t r = 0; r < segments[s].n_rows; r++)
                    sum += (double)segments[s].a[r * a_stride + k - first_k] *
                           (double)dgates[dgates_place(block_rows, segments[s].dgates_row + r, gate, u)];
            holds &= near(dpanels[here], sum);
        }
    }
    expect(holds, "outer");
    expect(rest, "the rest of the panels of outer");
    for (ptrdiff_t s = 0; s < n_segments; s++)
        free(arrays[s]);
    free(dgates);
    free(before);
    free(dpanels);
}

static void check_column_sums(void)
{
    ptrdiff_t first = at.n_rows % 2, block_rows = first + at.n_rows;
    real *dgates = random_dgates(block_rows, first), *before = random_reals(4 * at.width, 1);
    real *dbias = copy_of(before, 4 * at.width);
    at.kernels->column_sums(at.n_rows, at.n_blocks, dgates + first * 4 * at.lanes, block_rows, dbias);
    int holds = 1;
    for (ptrdiff_t gate = 0; gate < 4; gate++) {
        for (ptrdiff_t u = 0; u < at.width; u++) {
            double sum = (double)before[place(gate, u)];
            for (ptrdiff_t r = first; r < block_rows; r++)
                sum += (double)dgates[dgates_place(block_rows, r, gate, u)];
            holds &= near(dbias[place(gate, u)], sum);
        }
    }
    expect(holds, "column_sums");
    free(dgates);
    free(before);
    free(dbias);
}

/* The rows of at.x as what the dense layer reads: weight_hh for its weights, up to all the rows that it has. */
static void check_dense(void)
{
    ptrdiff_t n_outputs = at.n_rows + at.n_x < 4 * at.hidden ? at.n_rows + at.n_x : 4 * at.hidden;
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
    check_back_product(at.weight_hh, hidden);
    check_outer(n_x, hidden);
    check_column_sums();
    check_dense();
    if (n_x > 0) {
        check_back_product(at.weight_ih, n_x);
        check_outer(0, n_x);
    }
    if (n_rows == 1) { /* packing knows of no rows */
        check_pack_forward();
        check_pack_backward(at.weight_hh, hidden);
        check_pack_backward(at.weight_ih, n_x);
    }
    tear_down();
}

static void check_kernels(pylstm_isa isa)
{
    static const ptrdiff_t hidden[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 37, 65}, n_x[] = {0, 1, 2, 5, 16, 17};
    enum { MAX_ROWS = 13, N_HIDDEN = sizeof hidden / sizeof *hidden, N_N_X = sizeof n_x / sizeof *n_x };
    at.kernels = NAME(kernels)(isa);
    at.isa = pylstm_isa_name((int)isa);
    at.lanes = at.kernels->lanes;
    for (ptrdiff_t n_rows = 1; n_rows <= MAX_ROWS; n_rows++)
        for (int k = 0; k < N_HIDDEN; k++)
            /* every pair with one more size in turn */
            for (int i = (int)n_rows % 2; i < N_N_X; i += 2)
                check_sizes(n_rows, hidden[k], n_x[(i + k) % N_N_X]);
    /* weights that are prefetched */
    check_sizes(1, 258, 300);
    check_sizes(8, 257, 5);
}

static void check_all_kernels(void)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        if (pylstm_isa_available(isa))
            check_kernels((pylstm_isa)isa);
}

#endif
