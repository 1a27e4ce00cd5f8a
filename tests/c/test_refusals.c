/* What the interface refuses, argument by argument, and threads that the system does not give. */
#include "pylstm.h"

#include "check.h"

#include <limits.h>

static const pylstm_memory NONE = {NULL, 0};

struct problem {
    pylstm_model model;
    pylstm_shape shape;
    pylstm_batch batch;
    void *batch_memory;
    double *parameters, *x, *y, *outputs, *dparameters, *dx;
    size_t n_parameters, n_y;
    pylstm_memory packed, tape, workspace;
};

static double *drawn(size_t n)
{
    double *values = allocate(n * sizeof *values);
    for (size_t k = 0; k < n; k++)
        values[k] = 0.1 * draw();
    return values;
}

static struct problem make(const ptrdiff_t *hidden, ptrdiff_t n_directions, ptrdiff_t n_sequences,
                           const ptrdiff_t *lengths)
{
    struct problem p = {.model = {.net = {.dtype = PYLSTM_FLOAT64,
                                          .input_size = 2,
                                          .n_layers = 1,
                                          .hidden_sizes = hidden,
                                          .n_directions = n_directions,
                                          .isa = PYLSTM_ISA_BEST,
                                          .n_threads = 2,
                                          .cell = PYLSTM_LSTM},
                                  .n_outputs = 2,
                                  .pooling = PYLSTM_POOL_NONE,
                                  .loss = PYLSTM_SQUARED_ERROR}};
    const pylstm_net *net = &p.model.net;
    size_t bytes, most = 0;
    CHECK_STATUS(pylstm_model_check(&p.model), PYLSTM_OK);
    CHECK_STATUS(pylstm_shape_init(&p.shape, n_sequences, lengths), PYLSTM_OK);
    CHECK_STATUS(pylstm_batch_size(&p.shape, &bytes), PYLSTM_OK);
    p.batch_memory = allocate(bytes);
    CHECK_STATUS(pylstm_batch_init(&p.batch, n_sequences, lengths, p.batch_memory, bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_packed_size(net, &p.packed.bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_tape_size(net, &p.shape, &p.tape.bytes), PYLSTM_OK);
    int (*const sizes[])(const pylstm_net *, const pylstm_shape *, size_t *) = {pylstm_forward_size,
                                                                                pylstm_backward_size};
    for (int k = 0; k < 2; k++) {
        CHECK_STATUS(sizes[k](net, &p.shape, &bytes), PYLSTM_OK);
        most = bytes > most ? bytes : most;
    }
    CHECK_STATUS(pylstm_predict_size(&p.model, &p.shape, &bytes), PYLSTM_OK);
    p.workspace.bytes = bytes > most ? bytes : most;
    p.packed.data = allocate(p.packed.bytes);
    p.tape.data = allocate(p.tape.bytes);
    p.workspace.data = allocate(p.workspace.bytes);
    p.n_parameters = (size_t)pylstm_model_n_parameters(&p.model);
    p.n_y = (size_t)(p.shape.n_rows * pylstm_net_output_size(net));
    p.parameters = drawn(p.n_parameters);
    p.dparameters = drawn(p.n_parameters);
    p.x = drawn((size_t)p.shape.n_rows * 2);
    p.dx = drawn((size_t)p.shape.n_rows * 2);
    p.outputs = drawn((size_t)p.shape.n_rows * 2);
    p.y = drawn(p.n_y);
    CHECK_STATUS(pylstm_pack(net, p.parameters, p.packed), PYLSTM_OK);
    return p;
}

static void destroy(struct problem *p)
{
    void *all[] = {p->batch_memory, p->parameters,     p->x, p->y, p->outputs, p->dparameters, p->packed.data,
                   p->tape.data,    p->workspace.data, p->dx};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* Each pointer by itself is missing, each memory too small, and then the call as it should be. */
static void test_arguments(void)
{
    const ptrdiff_t hidden[] = {3}, lengths[] = {2, 3};
    struct problem p = make(hidden, 2, 2, lengths);
    const pylstm_net *net = &p.model.net, bad = {.hidden_sizes = NULL};
    const pylstm_model bad_model = {.net = bad};
    const pylstm_batch *batch = &p.batch;
    const pylstm_memory short_pack = {p.packed.data, p.packed.bytes - 1}, work = p.workspace, tape = p.tape;
    const pylstm_memory short_work = {work.data, 8};
    double *w = p.parameters, *x = p.x, *y = p.y, *out = p.outputs, *d = p.dparameters;
    size_t bytes;

    CHECK_STATUS(pylstm_tape_size(&bad, &p.shape, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_backward_size(&bad, &p.shape, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_forward_size(net, &p.shape, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_packed_size(net, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_packed_size(&bad, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_predict_size(&bad_model, &p.shape, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_size(&bad_model, &p.shape, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_size(&p.model, NULL, &bytes), PYLSTM_ERROR_NULL);
    pylstm_net none = *net;
    none.n_threads = 0;
    CHECK_STATUS(pylstm_net_check(&none), PYLSTM_ERROR_SIZE);
    CHECK(!pylstm_isa_name(-1) && !pylstm_isa_name(PYLSTM_N_ISA));

    CHECK_STATUS(pylstm_pack(net, NULL, p.packed), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_pack(net, w, NONE), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_pack(net, w, short_pack), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_pack(&bad, w, p.packed), PYLSTM_ERROR_NULL);

#define FORWARD(batch_, w, packed_, x_, y_, work)                                                                      \
    pylstm_forward(net, &(pylstm_forward_pass){                                                                        \
                            .batch = batch_, .parameters = w, .packed = packed_, .x = x_, .y = y_, .workspace = work})
    CHECK_STATUS(FORWARD(NULL, w, p.packed, x, y, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(FORWARD(batch, NULL, p.packed, x, y, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(FORWARD(batch, w, p.packed, NULL, y, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(FORWARD(batch, w, p.packed, x, NULL, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(FORWARD(batch, w, short_pack, x, y, work), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(FORWARD(batch, w, p.packed, x, y, work), PYLSTM_OK);

#define TRACE(batch_, w, x_, y_, tape_, work)                                                                          \
    pylstm_trace(net, &(pylstm_forward_pass){                                                                          \
                          .batch = batch_, .parameters = w, .x = x_, .y = y_, .tape = tape_, .workspace = work})
    CHECK_STATUS(TRACE(NULL, w, x, y, tape, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(TRACE(batch, NULL, x, y, tape, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(TRACE(batch, w, NULL, y, tape, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(TRACE(batch, w, x, NULL, tape, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(TRACE(batch, w, x, y, tape, work), PYLSTM_OK);

#define TAPE_READ(batch, layer, direction, y) pylstm_tape_read(net, batch, layer, direction, tape, y)
    CHECK_STATUS(TAPE_READ(NULL, 0, 0, out), PYLSTM_ERROR_NULL);
    CHECK_STATUS(TAPE_READ(batch, 0, 0, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(TAPE_READ(batch, -1, 0, out), PYLSTM_ERROR_INDEX);
    CHECK_STATUS(TAPE_READ(batch, 0, 2, out), PYLSTM_ERROR_INDEX);
    CHECK_STATUS(pylstm_tape_read(&bad, batch, 0, 0, tape, out), PYLSTM_ERROR_NULL);

#define BACKWARD(net, batch_, w, dy_, d)                                                                               \
    pylstm_backward(                                                                                                   \
        net, &(pylstm_backward_pass){                                                                                  \
                 .batch = batch_, .parameters = w, .dy = dy_, .dparameters = d, .tape = tape, .workspace = work})
    CHECK_STATUS(pylstm_forward(net,
                                &(pylstm_forward_pass){
                                    .batch = batch, .parameters = w, .x = x, .y = y, .tape = tape, .workspace = work}),
                 PYLSTM_OK);
    CHECK_STATUS(BACKWARD(net, NULL, w, y, d), PYLSTM_ERROR_NULL);
    CHECK_STATUS(BACKWARD(net, batch, NULL, y, d), PYLSTM_ERROR_NULL);
    CHECK_STATUS(BACKWARD(net, batch, w, NULL, d), PYLSTM_ERROR_NULL);
    CHECK_STATUS(BACKWARD(net, batch, w, y, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(BACKWARD(&bad, batch, w, y, d), PYLSTM_ERROR_NULL);
    CHECK_STATUS(BACKWARD(net, batch, w, y, d), PYLSTM_OK);

#define PREDICT(batch_, w, packed_, x_, out, work)                                                                     \
    pylstm_predict(&p.model,                                                                                           \
                   &(pylstm_forward_pass){                                                                             \
                       .batch = batch_, .parameters = w, .packed = packed_, .x = x_, .y = out, .workspace = work})
    CHECK_STATUS(PREDICT(NULL, w, NONE, x, out, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(PREDICT(batch, NULL, NONE, x, out, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(PREDICT(batch, w, NONE, NULL, out, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(PREDICT(batch, w, NONE, x, NULL, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(PREDICT(batch, w, NONE, x, out, NONE), PYLSTM_ERROR_NULL);
    CHECK_STATUS(PREDICT(batch, w, short_pack, x, out, work), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(PREDICT(batch, w, p.packed, x, out, work), PYLSTM_OK);
    CHECK_STATUS(
        pylstm_predict(&bad_model,
                       &(pylstm_forward_pass){.batch = batch, .parameters = w, .x = x, .y = out, .workspace = work}),
        PYLSTM_ERROR_NULL);

    /* read_out gives what predict gave, from the net's outputs alone */
    double again[5 * 2];
#define READ_OUT(batch, w, y, out, work) pylstm_read_out(&p.model, batch, w, y, out, work)
    CHECK_STATUS(READ_OUT(NULL, w, y, again, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(READ_OUT(batch, NULL, y, again, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(READ_OUT(batch, w, NULL, again, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(READ_OUT(batch, w, y, NULL, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(READ_OUT(batch, w, y, again, short_work), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_read_out(&bad_model, batch, w, y, again, work), PYLSTM_ERROR_NULL);
    CHECK_STATUS(READ_OUT(batch, w, y, again, work), PYLSTM_OK);
    CHECK(memcmp(again, out, sizeof again) == 0);

    /* training */
    const void *x_of[] = {x, x + 2 * net->input_size}, *targets[] = {out, out};
    pylstm_minibatch minibatch = {.n_sequences = 2,
                                  .x = x_of,
                                  .x_stride = net->input_size,
                                  .length = lengths,
                                  .targets = targets,
                                  .total_weight = 2};
    pylstm_solver solver = {.kind = PYLSTM_SGD, .learning_rate = 0.1};
    double loss = 0;
    const pylstm_blas *blas = &pylstm_blas_reference;
    pylstm_gradient *gradient;
    CHECK_STATUS(pylstm_gradient_size(&p.model, &p.shape, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_size(&p.model, &p.shape, &bytes), PYLSTM_OK);
    pylstm_memory train = {allocate(bytes), bytes};
#define INIT(gradient, model, blas, shape, w, d, memory)                                                               \
    pylstm_gradient_init(gradient, model, blas, shape, w, d, memory)
    CHECK_STATUS(INIT(NULL, &p.model, blas, &p.shape, w, d, train), PYLSTM_ERROR_NULL);
    CHECK_STATUS(INIT(&gradient, NULL, blas, &p.shape, w, d, train), PYLSTM_ERROR_NULL);
    CHECK_STATUS(INIT(&gradient, &p.model, NULL, &p.shape, w, d, train), PYLSTM_ERROR_NULL);
    CHECK_STATUS(INIT(&gradient, &p.model, blas, NULL, w, d, train), PYLSTM_ERROR_NULL);
    CHECK_STATUS(INIT(&gradient, &p.model, blas, &p.shape, NULL, d, train), PYLSTM_ERROR_NULL);
    CHECK_STATUS(INIT(&gradient, &p.model, blas, &p.shape, w, NULL, train), PYLSTM_ERROR_NULL);
    CHECK_STATUS(INIT(&gradient, &p.model, blas, &p.shape, w, d, NONE), PYLSTM_ERROR_NULL);
    double *gradients = drawn((size_t)pylstm_model_n_parameters(&p.model));
    CHECK_STATUS(INIT(&gradient, &p.model, blas, &p.shape, w, gradients, train), PYLSTM_OK);
    CHECK_STATUS(pylstm_train_step(NULL, &minibatch, &solver, &loss), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_train_step(gradient, NULL, &solver, &loss), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_train_step(gradient, &minibatch, NULL, &loss), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_train_step(gradient, &minibatch, &solver, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_begin(NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_add(gradient, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_outputs(gradient, &minibatch, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_backward(gradient, &minibatch, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_gradient_finish(gradient, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_update(&p.model, &solver, w, gradients, 0, &loss), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_update(&p.model, &solver, NULL, gradients, 1, &loss), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_update(&p.model, &solver, w, gradients, 1, NULL), PYLSTM_ERROR_NULL);
    for (int missing = 0; missing < 3; missing++) {
        pylstm_minibatch without = minibatch;
        without.x = missing == 0 ? NULL : without.x;
        without.length = missing == 1 ? NULL : without.length;
        without.targets = missing == 2 ? NULL : without.targets;
        CHECK_STATUS(pylstm_gradient_add(gradient, &without), PYLSTM_ERROR_NULL);
    }
    const ptrdiff_t endless[] = {PTRDIFF_MAX, PTRDIFF_MAX};
    pylstm_minibatch long_ones = minibatch;
    long_ones.length = endless;
    CHECK_STATUS(pylstm_gradient_add(gradient, &long_ones), PYLSTM_ERROR_OVERFLOW);
    CHECK_STATUS(pylstm_train_step(gradient, &minibatch, &solver, &loss), PYLSTM_OK);
    free(train.data);
    free(gradients);
    destroy(&p);
}

#ifdef WRAPS_THREADS
/* How many more calls of each succeed. */
static int creates = INT_MAX, mutexes = INT_MAX, conditions = INT_MAX;

#define LIMITED(function, left, parameters, arguments)                                                                 \
    int __real_##function parameters;                                                                                  \
    int __wrap_##function parameters;                                                                                  \
    int __wrap_##function parameters                                                                                   \
    {                                                                                                                  \
        return left-- > 0 ? __real_##function arguments : 1;                                                           \
    }

LIMITED(pthread_create, creates, (void *thread, void *with, void *(*run)(void *), void *of), (thread, with, run, of))
LIMITED(pthread_mutex_init, mutexes, (void *mutex, void *with), (mutex, with))
LIMITED(pthread_cond_init, conditions, (void *condition, void *with), (condition, with))

/* Where the system gives no thread, mutex or condition, or fewer than asked for, the results are the same. */
static void test_head_arguments(void)
{
    const pylstm_head head = {PYLSTM_FLOAT64, PYLSTM_ISA_BEST, 2, 3, 4, PYLSTM_CROSS_ENTROPY, 0.0};
    const ptrdiff_t labels[] = {3, 0}, wrong_labels[] = {3, 4};
    double features[6] = {0}, weight[12] = {0}, bias[4] = {0}, out[12], loss = 0;
    const pylstm_head_batch batch = {2, features, weight, bias, labels, NULL, NULL, out, out, out};
    size_t bytes = 0;
    CHECK_STATUS(pylstm_head_size(&head, 2, &bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_head_size(NULL, 2, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_head_size(&head, 2, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_head_size(&head, 0, &bytes), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_head_size(&head, PTRDIFF_MAX / 8, &bytes), PYLSTM_ERROR_OVERFLOW);
    for (int k = 0; k < 7; k++) {
        static const int expected[] = {PYLSTM_ERROR_DTYPE, PYLSTM_ERROR_ISA,  PYLSTM_ERROR_SIZE,    PYLSTM_ERROR_SIZE,
                                       PYLSTM_ERROR_SIZE,  PYLSTM_ERROR_LOSS, PYLSTM_ERROR_OVERFLOW};
        pylstm_head wrong = head;
        wrong.dtype = k == 0 ? (pylstm_dtype)2 : wrong.dtype;
        wrong.isa = k == 1 ? PYLSTM_N_ISA : wrong.isa;
        wrong.n_threads = k == 2 ? 0 : wrong.n_threads;
        wrong.width = k == 3 ? 0 : wrong.width;
        wrong.n_outputs = k == 4 ? 0 : k == 6 ? PTRDIFF_MAX / 8 : wrong.n_outputs;
        wrong.loss = k == 5 ? PYLSTM_CALLER : wrong.loss;
        CHECK_STATUS(pylstm_head_size(&wrong, 2, &bytes), expected[k]);
    }
    CHECK_STATUS(pylstm_head_size(&head, 2, &bytes), PYLSTM_OK);
    pylstm_memory memory = {allocate(bytes), bytes}, less = {memory.data, bytes - 1};
    const pylstm_blas *blas = &pylstm_blas_reference;
    CHECK_STATUS(pylstm_head_gradient(&head, NULL, &batch, &loss, memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_head_gradient(&head, blas, NULL, &loss, memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_head_gradient(&head, blas, &batch, NULL, memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_head_gradient(&head, blas, &batch, &loss, NONE), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_head_gradient(&head, blas, &batch, &loss, less), PYLSTM_ERROR_WORKSPACE);
    for (int k = 0; k < 7; k++) {
        pylstm_head_batch without = batch;
        without.features = k == 0 ? NULL : without.features;
        without.weight = k == 1 ? NULL : without.weight;
        without.bias = k == 2 ? NULL : without.bias;
        without.labels = k == 3 ? NULL : without.labels;
        without.dfeatures = k == 4 ? NULL : without.dfeatures;
        without.dweight = k == 5 ? NULL : without.dweight;
        without.dbias = k == 6 ? NULL : without.dbias;
        CHECK_STATUS(pylstm_head_gradient(&head, blas, &without, &loss, memory), PYLSTM_ERROR_NULL);
    }
    pylstm_head_batch wrong = batch;
    wrong.labels = wrong_labels;
    CHECK_STATUS(pylstm_head_gradient(&head, blas, &wrong, &loss, memory), PYLSTM_ERROR_LABEL);
    free(memory.data);
}

static void test_missing_threads(ptrdiff_t n_sequences, const ptrdiff_t *lengths)
{
    const ptrdiff_t hidden[] = {224};
    struct problem p = make(hidden, 1, n_sequences, lengths);
    p.model.net.n_threads = 3;
    const pylstm_net *net = &p.model.net;
    size_t bytes;
    CHECK_STATUS(pylstm_tape_size(net, &p.shape, &p.tape.bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_forward_size(net, &p.shape, &p.workspace.bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_backward_size(net, &p.shape, &bytes), PYLSTM_OK);
    p.workspace.bytes = bytes > p.workspace.bytes ? bytes : p.workspace.bytes;
    free(p.tape.data);
    free(p.workspace.data);
    p.tape.data = allocate(p.tape.bytes);
    p.workspace.data = allocate(p.workspace.bytes);
    double *y = drawn(p.n_y), *gradient = drawn(p.n_parameters);
    const int limits[][3] = {{INT_MAX, INT_MAX, INT_MAX},
                             {0, INT_MAX, INT_MAX},
                             {1, INT_MAX, INT_MAX},
                             {INT_MAX, 0, INT_MAX},
                             {INT_MAX, INT_MAX, 0}};
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        double *into_y = k ? p.y : y, *into = k ? p.dparameters : gradient;
        for (int back = 0; back < 2; back++) {
            creates = limits[k][0], mutexes = limits[k][1], conditions = limits[k][2];
            CHECK_STATUS(back ? pylstm_backward(net, &(pylstm_backward_pass){.batch = &p.batch,
                                                                             .parameters = p.parameters,
                                                                             .dy = y,
                                                                             .dparameters = into,
                                                                             .dx = p.dx,
                                                                             .tape = p.tape,
                                                                             .workspace = p.workspace})
                              : pylstm_forward(net, &(pylstm_forward_pass){.batch = &p.batch,
                                                                           .parameters = p.parameters,
                                                                           .x = p.x,
                                                                           .y = into_y,
                                                                           .tape = p.tape,
                                                                           .workspace = p.workspace}),
                         PYLSTM_OK);
            if (k < 3)
                CHECK(creates < limits[k][0]); /* threads were asked for */
        }
        creates = mutexes = conditions = INT_MAX;
        CHECK(memcmp(into_y, y, p.n_y * sizeof *y) == 0);
        size_t n = (size_t)pylstm_net_n_parameters(net);
        double worst = 0, largest = 0;
        for (size_t j = 0; j < n; j++) {
            worst = fmax(worst, fabs(into[j] - gradient[j]));
            largest = fmax(largest, fabs(gradient[j]));
        }
        CHECK(worst <= 1e-12 * largest && largest > 0);
    }
    free(y);
    free(gradient);
    destroy(&p);
}
#endif

int main(void)
{
    test_arguments();
    test_head_arguments();
#ifdef WRAPS_THREADS
    const ptrdiff_t one[] = {24}, some[] = {20, 18, 16, 3};
    test_missing_threads(1, one);
    test_missing_threads(4, some);
#endif
    return REPORT();
}
