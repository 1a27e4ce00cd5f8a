/* Arrays of a net's dtype, for tests that compare them to the bit. */
#ifndef REALS_H
#define REALS_H

#include "pylstm.h"

#include "check.h"

static char label[140]; /* what is under test */

static inline void expect_same(const void *a, const void *b, size_t bytes, const char *what)
{
    int same = memcmp(a, b, bytes) == 0;
    if (!same)
        printf("%s: %s\n", label, what);
    CHECK(same);
}

static inline size_t real_size(const pylstm_net *net)
{
    return net->dtype == PYLSTM_FLOAT32 ? sizeof(float) : sizeof(double);
}

/* Elements `from` on of an array of the net's dtype. */
static inline char *element(const pylstm_net *net, void *array, ptrdiff_t from)
{
    return (char *)array + (size_t)from * real_size(net);
}

static inline void *new_reals(const pylstm_net *net, ptrdiff_t n)
{
    return allocate((size_t)n * real_size(net));
}

static inline void *copy_reals(const pylstm_net *net, const void *values, ptrdiff_t n)
{
    void *copy = new_reals(net, n);
    return memcpy(copy, values, (size_t)n * real_size(net));
}

static inline double get_real(const pylstm_net *net, const void *values, ptrdiff_t k)
{
    return net->dtype == PYLSTM_FLOAT32 ? (double)((const float *)values)[k] : ((const double *)values)[k];
}

static inline void set_real(const pylstm_net *net, void *values, ptrdiff_t k, double value)
{
    if (net->dtype == PYLSTM_FLOAT32)
        ((float *)values)[k] = (float)value;
    else
        ((double *)values)[k] = value;
}

static inline void expect_reals(const pylstm_net *net, const void *a, const void *b, ptrdiff_t n, const char *what)
{
    expect_same(a, b, (size_t)n * real_size(net), what);
}

static inline void *random_reals(const pylstm_net *net, ptrdiff_t n, double scale)
{
    void *values = new_reals(net, n);
    for (ptrdiff_t k = 0; k < n; k++)
        set_real(net, values, k, draw() * scale);
    return values;
}

static inline double *random_doubles(ptrdiff_t n, double scale)
{
    double *values = allocate((size_t)n * sizeof *values);
    for (ptrdiff_t k = 0; k < n; k++)
        values[k] = draw() * scale;
    return values;
}

static inline pylstm_net make_net(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell, ptrdiff_t input_size,
                                  ptrdiff_t n_layers, const ptrdiff_t *hidden_sizes, ptrdiff_t n_directions)
{
    static const char *const names[PYLSTM_N_CELLS] = {"LSTM", "GRU", "RNN with tanh", "RNN with relu"};
    pylstm_net net = {.dtype = dtype,
                      .input_size = input_size,
                      .n_layers = n_layers,
                      .hidden_sizes = hidden_sizes,
                      .n_directions = n_directions,
                      .isa = isa,
                      .n_threads = 1,
                      .cell = cell};
    CHECK_STATUS(pylstm_net_check(&net), PYLSTM_OK);
    snprintf(label, sizeof label, "%s, %s, float%d, %td inputs, %td layers of %td, %td directions", names[cell],
             pylstm_isa_name((int)isa), dtype == PYLSTM_FLOAT32 ? 32 : 64, input_size, n_layers, hidden_sizes[0],
             n_directions);
    return net;
}

#endif
