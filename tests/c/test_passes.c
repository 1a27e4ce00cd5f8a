/* Forward against the equations written out, backward against central differences, and models, with the
 * reference BLAS and with memory of exactly the size asked for, at odd addresses. */
#include "pylstm.h"

#include "check.h"

#include <stdbool.h>

enum { MAX_HIDDEN = 9 };

static const pylstm_memory NO_MEMORY = {NULL, 0};

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

/* under test */
static pylstm_isa isa;
static pylstm_cell cell;
static ptrdiff_t n_threads = 1;

typedef struct problem {
    pylstm_net net;
    pylstm_batch batch;
    void *batch_memory;
    ptrdiff_t n_parameters, n_state, n_x, n_y;
    double *parameters, *x, *state, *y, *state_out, *dy, *dstate;
    pylstm_memory tape, workspace;
    char *allocated[2];
} problem;

static double *random_array(ptrdiff_t n)
{
    double *values = allocate((size_t)n * sizeof *values);
    for (ptrdiff_t k = 0; k < n; k++)
        values[k] = draw();
    return values;
}

static problem make(ptrdiff_t input_size, ptrdiff_t n_layers, const ptrdiff_t *hidden_sizes, ptrdiff_t n_directions,
                    ptrdiff_t n_sequences, const ptrdiff_t *lengths, double dropout)
{
    problem p = {.net = {.dtype = PYLSTM_FLOAT64,
                         .input_size = input_size,
                         .n_layers = n_layers,
                         .hidden_sizes = hidden_sizes,
                         .n_directions = n_directions,
                         .dropout = dropout,
                         .isa = isa,
                         .n_threads = n_threads,
                         .cell = cell}};
    pylstm_shape shape;
    size_t bytes, forward_bytes;
    CHECK_STATUS(pylstm_net_check(&p.net), PYLSTM_OK);
    CHECK_STATUS(pylstm_shape_init(&shape, n_sequences, lengths), PYLSTM_OK);
    CHECK_STATUS(pylstm_batch_size(&shape, &bytes), PYLSTM_OK);
    p.batch_memory = allocate(bytes);
    CHECK_STATUS(pylstm_batch_init(&p.batch, n_sequences, lengths, p.batch_memory, bytes), PYLSTM_OK);
    p.n_parameters = pylstm_net_n_parameters(&p.net);
    p.n_state = pylstm_net_state_size(&p.net) * n_sequences;
    p.n_x = shape.n_rows * input_size;
    p.n_y = shape.n_rows * pylstm_net_output_size(&p.net);
    p.parameters = random_array(p.n_parameters);
    p.x = random_array(p.n_x);
    p.state = random_array(p.n_state);
    p.y = random_array(p.n_y);
    p.state_out = random_array(p.n_state);
    p.dy = random_array(p.n_y);
    p.dstate = random_array(p.n_state);
    CHECK_STATUS(pylstm_tape_size(&p.net, &shape, &bytes), PYLSTM_OK);
    p.allocated[0] = allocate(bytes + 1);
    p.tape = (pylstm_memory){p.allocated[0] + 1, bytes};
    CHECK_STATUS(pylstm_forward_size(&p.net, &shape, &forward_bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_backward_size(&p.net, &shape, &bytes), PYLSTM_OK);
    bytes = bytes > forward_bytes ? bytes : forward_bytes;
    p.allocated[1] = allocate(bytes + 1);
    p.workspace = (pylstm_memory){p.allocated[1] + 1, bytes};
    return p;
}

static void destroy(problem *p)
{
    void *all[] = {p->batch_memory, p->parameters, p->x,      p->state,        p->y,
                   p->state_out,    p->dy,         p->dstate, p->allocated[0], p->allocated[1]};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

static int forward(problem *p, pylstm_memory tape)
{
    return pylstm_forward(&p->net, &(pylstm_forward_pass){.batch = &p->batch,
                                                          .parameters = p->parameters,
                                                          .x = p->x,
                                                          .state_in = p->state,
                                                          .y = p->y,
                                                          .state_out = p->state_out,
                                                          .dropout_seed = 17,
                                                          .tape = tape,
                                                          .workspace = p->workspace});
}

static pylstm_memory pack(const problem *p)
{
    pylstm_memory packed = NO_MEMORY;
    CHECK_STATUS(pylstm_packed_size(&p->net, &packed.bytes), PYLSTM_OK);
    packed.data = allocate(packed.bytes);
    CHECK_STATUS(pylstm_pack(&p->net, p->parameters, packed), PYLSTM_OK);
    return packed;
}

/* sum(y dy) + sum(state_out dstate), with the dropout of seed 17. */
static double loss(problem *p)
{
    CHECK_STATUS(forward(p, p->tape), PYLSTM_OK);
    double sum = 0;
    for (ptrdiff_t k = 0; k < p->n_y; k++)
        sum += p->y[k] * p->dy[k];
    for (ptrdiff_t k = 0; k < p->n_state; k++)
        sum += p->state_out[k] * p->dstate[k];
    return sum;
}

/* Central differences; with relu, which has corners, between the differences to both sides: were there one between
 * two of the values, the gradient is that of a side. */
static void check_gradient(problem *p, double *values, const double *gradient, ptrdiff_t n)
{
    double largest = 0, worst = 0, here = loss(p);
    for (ptrdiff_t k = 0; k < n; k++) {
        double kept = values[k], step = cell == PYLSTM_RNN_RELU ? 1e-7 : 1e-5, up, down;
        values[k] = kept + step;
        up = loss(p);
        values[k] = kept - step;
        down = loss(p);
        values[k] = kept;
        double numeric = (up - down) / (2 * step), room = 0;
        if (cell == PYLSTM_RNN_RELU)
            room = fabs(up - 2 * here + down) / (2 * step);
        largest = fmax(largest, fabs(numeric));
        worst = fmax(worst, fabs(numeric - gradient[k]) - room);
    }
    CHECK(worst <= 1e-6 * largest);
}

static void test_gradients(void)
{
    const ptrdiff_t one[] = {1}, three[] = {3}, stack[] = {3, 2, 4}, ragged[] = {4, 1, 3, 4, 2}, dense[] = {3, 3};
    const ptrdiff_t pair[] = {9, 4}, few_rows[] = {1, 2}; /* so few that weights are read as they lie */
    problem problems[] = {
        make(1, 1, one, 1, 1, one, 0.0),       make(2, 1, three, 1, 2, dense, 0.0),
        make(3, 1, three, 2, 5, ragged, 0.0),  make(2, 3, stack, 1, 5, ragged, 0.0),
        make(2, 3, stack, 2, 5, ragged, 0.35), make(3, 2, pair, 2, 2, few_rows, 0.25),
    };
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++) {
        problem *p = &problems[k];
        double *dparameters = random_array(p->n_parameters), *dx = random_array(p->n_x);
        double *dstate_in = random_array(p->n_state);
        loss(p);
        CHECK_STATUS(pylstm_backward(&p->net, &(pylstm_backward_pass){.batch = &p->batch,
                                                                      .parameters = p->parameters,
                                                                      .dy = p->dy,
                                                                      .dstate_out = p->dstate,
                                                                      .dparameters = dparameters,
                                                                      .dx = dx,
                                                                      .dstate_in = dstate_in,
                                                                      .dropout_seed = 17,
                                                                      .tape = p->tape,
                                                                      .workspace = p->workspace}),
                     PYLSTM_OK);
        check_gradient(p, p->parameters, dparameters, p->n_parameters);
        check_gradient(p, p->x, dx, p->n_x);
        check_gradient(p, p->state, dstate_in, p->n_state);

        /* Without what may be NULL, the rest is the same; in place too. */
        double *again = random_array(p->n_parameters);
        loss(p);
        CHECK_STATUS(pylstm_backward(&p->net, &(pylstm_backward_pass){.batch = &p->batch,
                                                                      .parameters = p->parameters,
                                                                      .dy = p->dy,
                                                                      .dstate_out = p->dstate,
                                                                      .dparameters = again,
                                                                      .dropout_seed = 17,
                                                                      .tape = p->tape,
                                                                      .workspace = p->workspace}),
                     PYLSTM_OK);
        CHECK(memcmp(again, dparameters, (size_t)p->n_parameters * sizeof *again) == 0);
        double *in_place = allocate((size_t)p->n_state * sizeof *in_place);
        memcpy(in_place, p->dstate, (size_t)p->n_state * sizeof *in_place);
        CHECK_STATUS(pylstm_backward(&p->net, &(pylstm_backward_pass){.batch = &p->batch,
                                                                      .parameters = p->parameters,
                                                                      .dy = p->dy,
                                                                      .dstate_out = in_place,
                                                                      .dparameters = again,
                                                                      .dx = dx,
                                                                      .dstate_in = in_place,
                                                                      .dropout_seed = 17,
                                                                      .tape = p->tape,
                                                                      .workspace = p->workspace}),
                     PYLSTM_OK);
        CHECK(memcmp(in_place, dstate_in, (size_t)p->n_state * sizeof *in_place) == 0);
        free(in_place);
        free(again);
        free(dparameters);
        free(dx);
        free(dstate_in);
        destroy(p);
    }
}

static double held_or(double held, double gate)
{
    return isnan(held) ? gate : held;
}

/* One step of one unit, by the words of pylstm.h. z: its gates, those that one function goes over summed, of a GRU
 * with the candidate's part of h_{t-1} apart, as z[3]. What pylstm_tape_read says of it goes to `kept`. */
static void plain_cell(double z[4], const double held[4], double *h, double *c, double kept[6])
{
    int n_kept = 0;
    if (cell == PYLSTM_LSTM) {
        double i = held_or(held[0], sigmoid(z[0])), f = held_or(held[1], sigmoid(z[1]));
        double g = held_or(held[2], tanh(z[2])), o = held_or(held[3], sigmoid(z[3]));
        *c = f * *c + i * g;
        *h = o * tanh(*c);
        kept[0] = i, kept[1] = f, kept[2] = g, kept[3] = o, kept[4] = *c;
        n_kept = 5;
    } else if (cell == PYLSTM_GRU) {
        double r = held_or(held[0], sigmoid(z[0])), update = held_or(held[1], sigmoid(z[1]));
        double n = held_or(held[2], tanh(z[2] + r * z[3]));
        *h = n + update * (*h - n);
        kept[0] = r, kept[1] = update, kept[2] = n;
        n_kept = 3;
    } else {
        *h = cell == PYLSTM_RNN_TANH ? tanh(z[0]) : fmax(0, z[0]);
    }
    kept[n_kept] = *h;
}

/* Row j of W x + R h + b; of a GRU's candidate, without R h: that, and its bias, are row j + H of the sums. */
static double pre_activation(const problem *p, pylstm_layer at, ptrdiff_t j, const double *x, const double *h)
{
    ptrdiff_t size = at.hidden_size, n_x = at.input_size;
    bool of_x = j < at.n_gates * size, of_h = cell != PYLSTM_GRU || j / size != 2;
    ptrdiff_t row_of_h = of_x ? j : j - size;
    double z = p->parameters[at.bias + j];
    for (ptrdiff_t k = 0; k < n_x && of_x; k++)
        z += p->parameters[at.weight_ih + j * n_x + k] * x[k];
    for (ptrdiff_t k = 0; k < size && of_h; k++)
        z += p->parameters[at.weight_hh + row_of_h * size + k] * h[k];
    return z;
}

/* One layer and direction, sequence by sequence: outputs, final states, and the tape; with about half of the gates
 * held too. */
static void test_forward(void)
{
    const ptrdiff_t hidden[] = {MAX_HIDDEN}, lengths[] = {5, 1, 7, 2, 7}, n_kept[] = {6, 4, 1, 1};
    for (int with = 0; with < 4; with++) {
        int reverse = with % 2;
        bool holds = with / 2;
        problem p = make(4, 1, hidden, 1 + reverse, 5, lengths, 0.0);
        pylstm_layer at = pylstm_net_layer(&p.net, 0, reverse);
        ptrdiff_t row = 0, size = at.hidden_size, width = p.net.n_directions * size, n_rows = p.batch.shape.n_rows;
        ptrdiff_t n_gates = n_kept[cell] - at.n_states, n_held = n_gates * n_rows * size;
        double worst = 0, largest = 1, *tape = random_array(n_kept[cell] * n_rows * size);
        double *held = random_array(p.net.n_directions * n_held);
        for (ptrdiff_t k = 0; k < p.net.n_directions * n_held; k++)
            held[k] = holds && held[k] > 0 ? held[k] : NAN;
        pylstm_memory packed = pack(&p);
        CHECK_STATUS(pylstm_trace(&p.net, &(pylstm_forward_pass){.batch = &p.batch,
                                                                 .parameters = p.parameters,
                                                                 .packed = packed,
                                                                 .x = p.x,
                                                                 .state_in = p.state,
                                                                 .held = holds ? held : NULL,
                                                                 .y = p.y,
                                                                 .state_out = p.state_out,
                                                                 .tape = p.tape,
                                                                 .workspace = p.workspace}),
                     PYLSTM_OK);
        CHECK_STATUS(pylstm_tape_read(&p.net, &p.batch, 0, reverse, p.tape, tape), PYLSTM_OK);
        if (!holds)
            CHECK_STATUS(forward(&p, NO_MEMORY), PYLSTM_OK);
        for (ptrdiff_t b = 0; b < 5; b++) {
            double h[MAX_HIDDEN], c[MAX_HIDDEN] = {0}, z[4 * MAX_HIDDEN];
            memcpy(h, p.state + (at.h * 5 + b * size), sizeof h);
            if (cell == PYLSTM_LSTM)
                memcpy(c, p.state + (at.c * 5 + b * size), sizeof c);
            for (ptrdiff_t s = 0; s < lengths[b]; s++) {
                ptrdiff_t here = row + (reverse ? lengths[b] - 1 - s : s);
                for (ptrdiff_t j = 0; j < at.n_biases * size; j++)
                    z[j] = pre_activation(&p, at, j, p.x + here * 4, h);
                for (ptrdiff_t u = 0; u < size; u++) {
                    double of_unit[4], held_here[4], kept[6];
                    for (ptrdiff_t k = 0; k < n_gates; k++)
                        held_here[k] = held[reverse * n_held + (k * n_rows + here) * size + u];
                    for (ptrdiff_t v = 0; v < at.n_biases; v++)
                        of_unit[v] = z[v * size + u];
                    plain_cell(of_unit, held_here, &h[u], &c[u], kept);
                    largest = fmax(largest, fabs(h[u]));
                    worst = fmax(worst, fabs(h[u] - p.y[here * width + reverse * size + u]));
                    for (ptrdiff_t k = 0; k < n_kept[cell]; k++)
                        worst = fmax(worst, fabs(kept[k] - tape[(k * n_rows + here) * size + u]));
                }
            }
            for (ptrdiff_t u = 0; u < size; u++) {
                worst = fmax(worst, fabs(h[u] - p.state_out[at.h * 5 + b * size + u]));
                if (cell == PYLSTM_LSTM)
                    worst = fmax(worst, fabs(c[u] - p.state_out[at.c * 5 + b * size + u]));
            }
            row += lengths[b];
        }
        CHECK(worst < 1e-14 * largest);
        free(tape);
        free(held);
        free(packed.data);
        destroy(&p);
    }
}

/* Of more rows than a chunk has, ragged, so that a chunk may have no room for the next step though it had for this one:
 * what each sequence gives alone, added up. */
static void test_gradients_of_many_rows(void)
{
    enum { LEAST = 60, MOST = 68, LONGEST = 13 };
    const ptrdiff_t hidden[] = {3};
    for (ptrdiff_t n = LEAST; n < MOST; n++) {
        ptrdiff_t lengths[MOST], row = 0;
        for (ptrdiff_t b = 0; b < n; b++)
            lengths[b] = 1 + b % LONGEST;
        problem p = make(2, 1, hidden, 1, n, lengths, 0.0);
        p.state = (free(p.state), NULL);
        double *together = random_array(p.n_parameters), *one = random_array(p.n_parameters);
        double *sum = random_array(p.n_parameters), worst = 0, largest = 1;
        for (ptrdiff_t k = 0; k < p.n_parameters; k++)
            sum[k] = 0;
        CHECK_STATUS(forward(&p, p.tape), PYLSTM_OK);
        CHECK_STATUS(pylstm_backward(&p.net, &(pylstm_backward_pass){.batch = &p.batch,
                                                                     .parameters = p.parameters,
                                                                     .dy = p.dy,
                                                                     .dparameters = together,
                                                                     .dropout_seed = 17,
                                                                     .tape = p.tape,
                                                                     .workspace = p.workspace}),
                     PYLSTM_OK);
        for (ptrdiff_t b = 0; b < n; row += lengths[b], b++) {
            problem alone = make(2, 1, hidden, 1, 1, lengths + b, 0.0);
            alone.state = (free(alone.state), NULL);
            memcpy(alone.parameters, p.parameters, (size_t)p.n_parameters * sizeof(double));
            memcpy(alone.x, p.x + 2 * row, (size_t)alone.n_x * sizeof(double));
            memcpy(alone.dy, p.dy + 3 * row, (size_t)alone.n_y * sizeof(double));
            CHECK_STATUS(forward(&alone, alone.tape), PYLSTM_OK);
            CHECK_STATUS(pylstm_backward(&alone.net, &(pylstm_backward_pass){.batch = &alone.batch,
                                                                             .parameters = alone.parameters,
                                                                             .dy = alone.dy,
                                                                             .dparameters = one,
                                                                             .dropout_seed = 17,
                                                                             .tape = alone.tape,
                                                                             .workspace = alone.workspace}),
                         PYLSTM_OK);
            for (ptrdiff_t k = 0; k < p.n_parameters; k++)
                sum[k] += one[k];
            destroy(&alone);
        }
        for (ptrdiff_t k = 0; k < p.n_parameters; k++) {
            largest = fmax(largest, fabs(sum[k]));
            worst = fmax(worst, fabs(together[k] - sum[k]));
        }
        CHECK(worst < 1e-12 * largest);
        free(together);
        free(one);
        free(sum);
        destroy(&p);
    }
}

static void test_float32_is_near_float64(void)
{
    const ptrdiff_t hidden[] = {7, 5}, lengths[] = {5, 1, 7};
    problem p = make(3, 2, hidden, 2, 3, lengths, 0.25);
    for (ptrdiff_t k = 0; k < p.n_parameters; k++)
        p.parameters[k] /= 2; /* large ones multiply a rounding error with every step */
    CHECK_STATUS(forward(&p, p.tape), PYLSTM_OK);
    pylstm_net net = p.net;
    net.dtype = PYLSTM_FLOAT32;
    float *parameters = allocate((size_t)p.n_parameters * sizeof *parameters), *x = allocate((size_t)p.n_x * sizeof *x);
    float *y = allocate((size_t)p.n_y * sizeof *y);
    for (ptrdiff_t k = 0; k < p.n_parameters; k++)
        parameters[k] = (float)p.parameters[k];
    for (ptrdiff_t k = 0; k < p.n_x; k++)
        x[k] = (float)p.x[k];
    p.state = (free(p.state), NULL);
    CHECK_STATUS(forward(&p, p.tape), PYLSTM_OK);
    CHECK_STATUS(pylstm_forward(&net, &(pylstm_forward_pass){.batch = &p.batch,
                                                             .parameters = parameters,
                                                             .x = x,
                                                             .y = y,
                                                             .dropout_seed = 17,
                                                             .tape = p.tape,
                                                             .workspace = p.workspace}),
                 PYLSTM_OK);
    double worst = 0, largest = 1;
    for (ptrdiff_t k = 0; k < p.n_y; k++) {
        largest = fmax(largest, fabs(p.y[k]));
        worst = fmax(worst, fabs((double)y[k] - p.y[k]));
    }
    CHECK(worst < 1e-6 * largest);
    free(parameters);
    free(x);
    free(y);
    destroy(&p);
}

static void test_refusals(void)
{
    const ptrdiff_t hidden[] = {3}, lengths[] = {2, 1};
    problem p = make(2, 1, hidden, 1, 2, lengths, 0.0);
    pylstm_memory none = {NULL, 0}, small = {p.workspace.data, 10}, small_tape = {p.tape.data, p.tape.bytes - 1};
    double *d = random_array(p.n_parameters), values[6 * 3 * 3];
    CHECK_STATUS(forward(&p, small_tape), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(
        pylstm_forward(&p.net,
                       &(pylstm_forward_pass){
                           .batch = &p.batch, .parameters = p.parameters, .x = p.x, .y = p.y, .workspace = small}),
        PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(
        pylstm_forward(&p.net,
                       &(pylstm_forward_pass){
                           .batch = &p.batch, .parameters = p.parameters, .x = p.x, .y = p.y, .workspace = none}),
        PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_forward(
                     NULL,
                     &(pylstm_forward_pass){
                         .batch = &p.batch, .parameters = p.parameters, .x = p.x, .y = p.y, .workspace = p.workspace}),
                 PYLSTM_ERROR_NULL);
    CHECK_STATUS(
        pylstm_forward(&p.net, &(pylstm_forward_pass){.batch = &p.batch, .x = p.x, .y = p.y, .workspace = p.workspace}),
        PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_backward(&p.net, &(pylstm_backward_pass){.batch = &p.batch,
                                                                 .parameters = p.parameters,
                                                                 .dy = p.dy,
                                                                 .dparameters = d,
                                                                 .workspace = p.workspace}),
                 PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_backward(&p.net, &(pylstm_backward_pass){.batch = &p.batch,
                                                                 .parameters = p.parameters,
                                                                 .dy = p.dy,
                                                                 .dparameters = d,
                                                                 .tape = p.tape,
                                                                 .workspace = small}),
                 PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_backward(&p.net, &(pylstm_backward_pass){.batch = &p.batch,
                                                                 .parameters = p.parameters,
                                                                 .dy = p.dy,
                                                                 .dparameters = d,
                                                                 .tape = small_tape,
                                                                 .workspace = p.workspace}),
                 PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_backward(&p.net, &(pylstm_backward_pass){.batch = &p.batch,
                                                                 .parameters = p.parameters,
                                                                 .dparameters = d,
                                                                 .tape = p.tape,
                                                                 .workspace = p.workspace}),
                 PYLSTM_ERROR_NULL);
    CHECK_STATUS(
        pylstm_trace(&p.net,
                     &(pylstm_forward_pass){
                         .batch = &p.batch, .parameters = p.parameters, .x = p.x, .y = p.y, .workspace = p.workspace}),
        PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_trace(&p.net, &(pylstm_forward_pass){.batch = &p.batch,
                                                             .parameters = p.parameters,
                                                             .x = p.x,
                                                             .y = p.y,
                                                             .tape = small_tape,
                                                             .workspace = p.workspace}),
                 PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_trace(&p.net, &(pylstm_forward_pass){.batch = &p.batch,
                                                             .parameters = p.parameters,
                                                             .x = p.x,
                                                             .held = values,
                                                             .y = p.y,
                                                             .tape = p.tape,
                                                             .workspace = p.workspace}),
                 PYLSTM_ERROR_NULL); /* held, and not packed */
    CHECK_STATUS(
        pylstm_trace(
            &p.net,
            &(pylstm_forward_pass){
                .batch = &p.batch, .parameters = p.parameters, .x = p.x, .y = p.y, .tape = p.tape, .workspace = small}),
        PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_tape_read(&p.net, &p.batch, 0, 0, p.tape, values), PYLSTM_OK);
    CHECK_STATUS(pylstm_tape_read(&p.net, &p.batch, 1, 0, p.tape, values), PYLSTM_ERROR_INDEX);
    CHECK_STATUS(pylstm_tape_read(&p.net, &p.batch, 0, -1, p.tape, values), PYLSTM_ERROR_INDEX);
    CHECK_STATUS(pylstm_tape_read(&p.net, &p.batch, 0, 0, small_tape, values), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_tape_read(&p.net, &p.batch, 0, 0, none, values), PYLSTM_ERROR_NULL);
    free(d);
    destroy(&p);
}

/* Two classes told apart by the sign of the first feature, or that feature itself as a target, of the sequence or of
 * each step: with each solver the loss falls, and predictions come right. */
static void check_learns(pylstm_pooling pooling, pylstm_loss loss, pylstm_solver_kind kind)
{
    enum { N_SEQUENCES = 24, MOST_ROWS = 4 * N_SEQUENCES };
    const ptrdiff_t hidden[] = {6};
    pylstm_model model = {.net = {.dtype = PYLSTM_FLOAT64,
                                  .input_size = 2,
                                  .n_layers = 1,
                                  .hidden_sizes = hidden,
                                  .n_directions = 2,
                                  .dropout = 0.1,
                                  .isa = isa,
                                  .n_threads = n_threads,
                                  .cell = cell},
                          .n_outputs = 2,
                          .pooling = pooling,
                          .loss = loss};
    CHECK_STATUS(pylstm_model_check(&model), PYLSTM_OK);
    ptrdiff_t first[N_SEQUENCES], labels[MOST_ROWS], lengths[N_SEQUENCES], indices[N_SEQUENCES], n_rows = 0;
    for (ptrdiff_t b = 0; b < N_SEQUENCES; b++) {
        lengths[b] = 1 + b % 4;
        first[b] = n_rows;
        n_rows += lengths[b];
        indices[b] = N_SEQUENCES - 1 - b;
    }
    double *x = random_array(n_rows * 2), targets[MOST_ROWS][2], weights[MOST_ROWS], outputs[MOST_ROWS][2];
    ptrdiff_t n = pooling == PYLSTM_POOL_NONE ? n_rows : N_SEQUENCES;
    for (ptrdiff_t e = 0; e < n; e++) {
        double feature = x[(pooling == PYLSTM_POOL_NONE ? e : first[e]) * 2];
        labels[e] = feature > 0;
        targets[e][0] = feature, targets[e][1] = -feature;
        weights[e] = 1 + (double)(e % 2);
    }
    const void *x_of[N_SEQUENCES], *targets_of[N_SEQUENCES];
    const double *weights_of[N_SEQUENCES];
    ptrdiff_t lengths_of[N_SEQUENCES];
    pylstm_minibatch minibatch = {
        .n_sequences = N_SEQUENCES,
        .x = x_of,
        .x_stride = 2,
        .length = lengths_of,
        .targets = targets_of,
        .weights = weights_of,
    };
    for (ptrdiff_t b = 0; b < N_SEQUENCES; b++) {
        ptrdiff_t k = indices[b], e = pooling == PYLSTM_POOL_NONE ? first[k] : k;
        x_of[b] = x + 2 * first[k];
        lengths_of[b] = lengths[k];
        targets_of[b] = loss == PYLSTM_CROSS_ENTROPY ? (const void *)(labels + e) : targets[e];
        weights_of[b] = weights + e;
    }
    for (ptrdiff_t e = 0; e < n; e++)
        minibatch.total_weight += weights[e];
    ptrdiff_t n_parameters = pylstm_model_n_parameters(&model);
    double *parameters = random_array(n_parameters), *gradients = random_array(n_parameters),
           *moments = allocate((size_t)n_parameters * 2 * sizeof *moments);
    memset(moments, 0, (size_t)n_parameters * 2 * sizeof *moments);
    pylstm_solver solver = {
        kind,    kind == PYLSTM_SGD ? 0.1 : 0.02, 0.9, 0.999, 1e-8, 0.9, kind == PYLSTM_SGD, 1e-6, 1, 0,
        moments, moments + n_parameters};
    pylstm_shape shape;
    size_t bytes, predict_bytes, batch_bytes;
    CHECK_STATUS(pylstm_shape_init(&shape, N_SEQUENCES, lengths), PYLSTM_OK);
    CHECK_STATUS(pylstm_gradient_size(&model, &shape, &bytes), PYLSTM_OK);
    pylstm_memory memory = {allocate(bytes), bytes};
    pylstm_gradient *gradient;
    CHECK_STATUS(pylstm_gradient_init(&gradient, &model, &pylstm_blas_reference, &shape, parameters, gradients, memory),
                 PYLSTM_OK);
    double start = 0, end = 0;
    for (int step = 0; step < 250; step++) {
        minibatch.dropout_seed = (uint64_t)step;
        CHECK_STATUS(pylstm_train_step(gradient, &minibatch, &solver, &end), PYLSTM_OK);
        start = step == 0 ? end : start;
    }
    CHECK(end < 0.3 * start);
    CHECK(solver.t == 250);
    CHECK_STATUS(pylstm_predict_size(&model, &shape, &predict_bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_batch_size(&shape, &batch_bytes), PYLSTM_OK);
    void *batch_memory = allocate(batch_bytes);
    pylstm_memory workspace = {allocate(predict_bytes), predict_bytes};
    pylstm_batch batch;
    CHECK_STATUS(pylstm_batch_init(&batch, N_SEQUENCES, lengths, batch_memory, batch_bytes), PYLSTM_OK);
    CHECK_STATUS(
        pylstm_predict(&model,
                       &(pylstm_forward_pass){
                           .batch = &batch, .parameters = parameters, .x = x, .y = outputs, .workspace = workspace}),
        PYLSTM_OK);
    int right = 0;
    for (ptrdiff_t e = 0; e < n; e++)
        right += loss == PYLSTM_CROSS_ENTROPY ? outputs[e][labels[e]] > 0.5 : fabs(outputs[e][0] - targets[e][0]) < 0.5;
    CHECK(right >= n - 2);
    free(x);
    free(parameters);
    free(gradients);
    free(moments);
    free(memory.data);
    free(batch_memory);
    free(workspace.data);
}

static void test_model_refusals(void)
{
    const ptrdiff_t hidden[] = {3};
    pylstm_model model = {.net = {.dtype = PYLSTM_FLOAT64,
                                  .input_size = 1,
                                  .n_layers = 1,
                                  .hidden_sizes = hidden,
                                  .n_directions = 1,
                                  .isa = isa,
                                  .n_threads = n_threads,
                                  .cell = cell},
                          .n_outputs = 2,
                          .pooling = PYLSTM_POOL_LAST};
    ptrdiff_t length[] = {1, 1}, labels[] = {0, 1};
    double x[] = {1, 2}, weights[] = {0, 0}, loss = 5;
    const void *x_of[] = {x, x + 1}, *targets[] = {labels, labels + 1};
    const double *weights_of[] = {weights, weights + 1};
    pylstm_minibatch minibatch = {
        .n_sequences = 2, .x = x_of, .x_stride = 1, .length = length, .targets = targets, .total_weight = 2};
    ptrdiff_t n_parameters = pylstm_model_n_parameters(&model);
    double *parameters = random_array(n_parameters), *before = allocate((size_t)n_parameters * sizeof *before);
    double *moments = allocate((size_t)n_parameters * 2 * sizeof *moments);
    memset(moments, 0, (size_t)n_parameters * 2 * sizeof *moments);
    memcpy(before, parameters, (size_t)n_parameters * sizeof *before);
    pylstm_solver solver = {PYLSTM_ADAM, 0.1, 0.9, 0.999, 1e-8, 0, 0, 0, 0, 0, moments, moments + n_parameters};
    pylstm_shape shape;
    size_t bytes;
    CHECK_STATUS(pylstm_shape_init(&shape, 2, length), PYLSTM_OK);
    double *gradients = random_array(n_parameters);
    pylstm_gradient *gradient;
    CHECK_STATUS(pylstm_gradient_size(&model, &shape, &bytes), PYLSTM_OK);
    pylstm_memory memory = {allocate(bytes), bytes}, small = {memory.data, bytes - 1};
#define INIT(model, memory)                                                                                            \
    pylstm_gradient_init(&gradient, model, &pylstm_blas_reference, &shape, parameters, gradients, memory)
#define STEP() pylstm_train_step(gradient, &minibatch, &solver, &loss)
    CHECK_STATUS(INIT(&model, small), PYLSTM_ERROR_WORKSPACE);
    pylstm_model bad = model;
    bad.loss = PYLSTM_QUANTILE; /* whose quantile is 0 */
    CHECK_STATUS(INIT(&bad, memory), PYLSTM_ERROR_LOSS);
    bad.loss_parameter = NAN;
    CHECK_STATUS(INIT(&bad, memory), PYLSTM_ERROR_LOSS);
    bad.loss = PYLSTM_N_LOSSES;
    CHECK_STATUS(INIT(&bad, memory), PYLSTM_ERROR_LOSS);
    CHECK_STATUS(INIT(&model, memory), PYLSTM_OK);
    minibatch.n_sequences = 0;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_SIZE);
    minibatch.n_sequences = 2, length[0] = 2;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_WORKSPACE);
    length[0] = 0;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_LENGTH);
    length[0] = 1, labels[0] = 2;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_LABEL);
    labels[0] = 0, minibatch.x_stride = 0;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_SIZE);
    minibatch.x_stride = 1, minibatch.total_weight = NAN;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_SIZE);
    minibatch.total_weight = 2, solver.kind = (pylstm_solver_kind)7;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_SOLVER);
    solver.kind = PYLSTM_ADAM, minibatch.targets = NULL;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_NULL);
    minibatch.targets = targets;
    minibatch.weights = weights_of, minibatch.total_weight = 0; /* nothing weighs anything: nothing is learnt */
    CHECK_STATUS(STEP(), PYLSTM_OK);
    CHECK(loss == 0);
    minibatch.weights = NULL, minibatch.total_weight = 2, x[1] = NAN; /* nor where the loss is no number */
    CHECK_STATUS(STEP(), PYLSTM_OK);
    CHECK(isnan(loss) && solver.t == 0 && memcmp(before, parameters, (size_t)n_parameters * sizeof *before) == 0);

    x[1] = 0; /* moments that a solver does not read may be missing */
    solver.first_moment = NULL;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_NULL);
    solver.kind = PYLSTM_RMSPROP;
    CHECK_STATUS(STEP(), PYLSTM_OK);
    solver.second_moment = NULL;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_NULL);
    solver.kind = PYLSTM_SGD, solver.momentum = 0.9;
    CHECK_STATUS(STEP(), PYLSTM_ERROR_NULL);
    solver.momentum = 0;
    CHECK_STATUS(STEP(), PYLSTM_OK);
    double loss_before = loss;
    CHECK_STATUS(STEP(), PYLSTM_OK);
    CHECK(loss < loss_before && solver.t == 3);
#undef STEP

    bad = model;
    bad.pooling = (pylstm_pooling)9;
    CHECK_STATUS(pylstm_model_check(&bad), PYLSTM_ERROR_POOLING);
    bad = model, bad.loss = (pylstm_loss)-1;
    CHECK_STATUS(pylstm_model_check(&bad), PYLSTM_ERROR_LOSS);
    bad = model, bad.n_outputs = 0;
    CHECK_STATUS(pylstm_model_check(&bad), PYLSTM_ERROR_SIZE);
    bad.n_outputs = PTRDIFF_MAX;
    CHECK_STATUS(pylstm_model_check(&bad), PYLSTM_ERROR_OVERFLOW);
    CHECK_STATUS(pylstm_model_check(NULL), PYLSTM_ERROR_NULL);
    free(parameters);
    free(gradients);
    free(before);
    free(moments);
    free(memory.data);
}

static void test_cell(pylstm_cell under_test)
{
    cell = under_test;
    test_forward();
    test_gradients();
    test_gradients_of_many_rows();
    test_float32_is_near_float64();
    test_refusals();
    test_model_refusals();
}

int main(void)
{
    for (int k = PYLSTM_ISA_SCALAR; k < PYLSTM_N_ISA; k++) {
        if (!is_tested(k))
            continue;
        isa = (pylstm_isa)k;
        printf("%s (best: %s)\n", pylstm_isa_name(k), pylstm_isa_name((int)pylstm_isa_best()));
        test_cell(PYLSTM_LSTM);
        for (int pooling = PYLSTM_POOL_LAST; pooling <= PYLSTM_POOL_NONE; pooling++) /* with a loss, by turns */
            for (int kind = PYLSTM_ADAM; kind <= PYLSTM_RMSPROP; kind++)
                check_learns((pylstm_pooling)pooling, (pylstm_loss)((pooling + kind + k) % 2),
                             (pylstm_solver_kind)kind);
        for (int other = PYLSTM_GRU; other < PYLSTM_N_CELLS; other++) {
            test_cell((pylstm_cell)other);
            check_learns((pylstm_pooling)other, PYLSTM_CROSS_ENTROPY, PYLSTM_ADAM);
            check_learns(PYLSTM_POOL_LAST, PYLSTM_SQUARED_ERROR, PYLSTM_ADAM);
        }
    }
    return REPORT();
}
