/* A model that is trained on tokens, with a mini-batch for it. */
#ifndef TOKEN_TRAINING_H
#define TOKEN_TRAINING_H

#include "tokens.h"

enum { N_SEQUENCES = 5, MOST_ROWS = 20, N_TOKENS = 7, N_UNSEEN = 2, MOST_OUTPUTS = 7 };

/* The last N_UNSEEN tokens don't occur. */
static const ptrdiff_t lengths[N_SEQUENCES] = {4, 1, 6, 4, 2};

/* A model, and a mini-batch for it. */
struct problem {
    pylstm_model model;
    pylstm_shape shape;
    ptrdiff_t n_parameters, n_table;
    void *parameters, *gradients, *moments[2];
    void *x;                                  /* tokens of `token_size`, or values */
    ptrdiff_t first[N_SEQUENCES];             /* row of its first step */
    ptrdiff_t labels[MOST_ROWS];              /* of rows */
    double targets[MOST_ROWS * MOST_OUTPUTS]; /* of the dtype */
    double weights[MOST_ROWS];
    const void *x_of[N_SEQUENCES], *targets_of[N_SEQUENCES];
    const double *weights_of[N_SEQUENCES];
    pylstm_minibatch batch;
    pylstm_gradient *gradient;
    void *memory;
};

static inline ptrdiff_t n_outputs_of(const struct problem *p, ptrdiff_t b)
{
    return p->model.pooling == PYLSTM_POOL_NONE ? lengths[b] : 1;
}

static inline void set_token(struct problem *p, ptrdiff_t row, uint32_t token)
{
    if (p->batch.token_size == 1)
        ((uint8_t *)p->x)[row] = (uint8_t)token;
    else if (p->batch.token_size == 2)
        ((uint16_t *)p->x)[row] = (uint16_t)token;
    else
        ((uint32_t *)p->x)[row] = token;
}

static inline uint32_t get_token(const struct problem *p, ptrdiff_t row)
{
    return p->batch.token_size == 1   ? ((uint8_t *)p->x)[row]
           : p->batch.token_size == 2 ? ((uint16_t *)p->x)[row]
                                      : ((uint32_t *)p->x)[row];
}

/* Tokens from `from` to `to` - 1, all of them where there are rows enough, the last one first. */
static inline void draw_tokens(struct problem *p, uint32_t from, uint32_t to)
{
    for (ptrdiff_t r = 0; r < p->shape.n_rows; r++) {
        uint32_t drawn = from + (uint32_t)((draw() + 1) / 2 * (to - from));
        set_token(p, r, r < (ptrdiff_t)(to - from) ? to - 1 - (uint32_t)r : drawn);
    }
}

static inline void start_gradient(struct problem *p)
{
    size_t bytes;
    CHECK_STATUS(pylstm_gradient_size(&p->model, &p->shape, &bytes), PYLSTM_OK);
    p->memory = allocate(bytes + 1);
    CHECK_STATUS(pylstm_gradient_init(&p->gradient, &p->model, &pylstm_blas_reference, &p->shape, p->parameters,
                                      p->gradients, (pylstm_memory){(char *)p->memory + 1, bytes}),
                 PYLSTM_OK);
}

static inline void fill_zeros(const pylstm_net *net, void *values, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++)
        set_real(net, values, k, 0);
}

/* The batch's pointers into the problem, which has to stay where it is. */
static inline struct problem *new_problem(pylstm_model model, int token_size)
{
    struct problem *p = allocate(sizeof *p);
    CHECK_STATUS(pylstm_model_check(&model), PYLSTM_OK);
    *p = (struct problem){.model = model, .n_parameters = pylstm_model_n_parameters(&model)};
    const pylstm_net *net = &p->model.net;
    CHECK_STATUS(pylstm_shape_init(&p->shape, N_SEQUENCES, lengths), PYLSTM_OK);
    p->n_table = pylstm_net_table_size(net);
    p->parameters = random_reals(net, p->n_parameters, 0.5);
    p->gradients = random_reals(net, p->n_parameters, 1);
    for (int k = 0; k < 2; k++)
        fill_zeros(net, p->moments[k] = new_reals(net, p->n_parameters), p->n_parameters);
    p->x = allocate((size_t)(p->shape.n_rows * net->input_size) * sizeof(double));
    p->batch = (pylstm_minibatch){.n_sequences = N_SEQUENCES,
                                  .x = p->x_of,
                                  .x_stride = 1,
                                  .token_size = token_size,
                                  .length = lengths,
                                  .targets = p->targets_of,
                                  .weights = p->weights_of,
                                  .dropout_seed = 5};
    draw_tokens(p, 0, (uint32_t)(net->n_tokens > N_UNSEEN ? net->n_tokens - N_UNSEEN : net->n_tokens));
    ptrdiff_t row = 0, n_outputs = model.n_outputs, e = 0;
    for (ptrdiff_t b = 0; b < N_SEQUENCES; row += lengths[b], b++) {
        p->first[b] = row;
        p->x_of[b] = (char *)p->x + row * token_size;
        p->targets_of[b] =
            pylstm_reads_labels(model.loss) ? (void *)(p->labels + e) : (void *)element(net, p->targets, e * n_outputs);
        p->weights_of[b] = p->weights + e;
        e += n_outputs_of(p, b);
    }
    for (ptrdiff_t k = 0; k < e; k++) {
        p->labels[k] = (ptrdiff_t)((draw() + 1) / 2 * (double)n_outputs);
        p->weights[k] = 1.5 + draw();
        p->batch.total_weight += p->weights[k];
        for (ptrdiff_t j = 0; j < n_outputs; j++)
            set_real(net, p->targets, k * n_outputs + j, draw());
    }
    start_gradient(p);
    return p;
}

static inline void free_problem(struct problem *p)
{
    free(p->parameters);
    free(p->gradients);
    free(p->moments[0]);
    free(p->moments[1]);
    free(p->x);
    free(p->memory);
    free(p);
}

/* begin, add, finish: the loss. */
static inline double add_up(struct problem *p, const pylstm_minibatch *batches, int n)
{
    double loss = NAN;
    CHECK_STATUS(pylstm_gradient_begin(p->gradient), PYLSTM_OK);
    for (int k = 0; k < n; k++)
        CHECK_STATUS(pylstm_gradient_add(p->gradient, batches + k), PYLSTM_OK);
    CHECK_STATUS(pylstm_gradient_finish(p->gradient, &loss), PYLSTM_OK);
    return loss;
}

#endif
