/* Step after step from a state that stays: the layers' weights packed once, the dense layer's and a table's where they
 * lie; everything else in one block of memory. */
#include "kernels/isa.h"
#include "kernels/missing.h"
#include "kernels/panels.h"
#include "kernels/sample.h"
#include "layers/layer.h"
#include "model/losses.h"
#include "model/model.h"
#include "support/arena.h"

#include <string.h>

struct stream_layer {
    struct layer layer; /* whose weights are packed, and not there as they lie */
    struct packed packed;
    struct step_weights weights; /* of `packed` */
    ptrdiff_t width;             /* H' */
    real *h, *h_next, *c;        /* [B][H'] */
};

/* Of inputs, or of targets [n]. */
struct scaling {
    double *mean, *scale;
    bool is_on;
};

/* The last layer's outputs as one, of the steps so far: as pool_forward makes them of all at once. */
struct running_pool {
    int64_t *counts; /* [B] steps; NULL: nothing is pooled */
    real *sofar;     /* [B][H] their sum, or the largest */
    real *pooled;    /* [B][H] what the dense layer reads: of a maximum the same */
};

struct NAME(stream) {
    struct pylstm_stream base;
    const struct kernels *kernels;
    ptrdiff_t output_size;
    struct stream_layer *layers; /* [n_layers] */
    struct running_pool pool;
    ptrdiff_t *hidden_sizes;           /* [n_layers]; what base.model.net points to */
    const real *weight_out, *bias_out; /* [n_outputs][H], [n_outputs], the caller's */
    struct scaling inputs, targets;
    struct missing missing; /* its arrays are those below */
    double *filler;         /* [F], and room for I */
    int64_t *columns;       /* [n_columns], likewise */
    double *kept;           /* [B][F] or [B][n_columns], likewise */
    real *scaled;           /* [B][I] one step's inputs, where they are; or the rows of its tokens */
    const real *table;      /* [n_tokens][I] of tokens, the caller's; none of one-hot ones */
    ptrdiff_t *tokens;      /* [B] one step's; NULL: values */
    real *outputs;          /* [B][n_outputs] one step's, where the targets are, or tokens are drawn from them */
    uint32_t *order;        /* [n_outputs] for drawing tokens */
};

static struct scaling carve_scaling(struct arena *arena, ptrdiff_t n)
{
    double *mean = arena_take(arena, n, 1, sizeof *mean);
    return (struct scaling){mean, arena_take(arena, n, 1, sizeof *mean), false};
}

static struct NAME(stream) * carve(const pylstm_model *model, ptrdiff_t batch_size, struct arena *arena)
{
    const pylstm_net *net = &model->net;
    const struct kernels *kernels = NAME(kernels)(net->isa);
    bool pools = is_running_pool(model), is_mean = model->pooling == PYLSTM_POOL_MEAN;
    ptrdiff_t n_outputs = model->n_outputs, output_size = pylstm_net_output_size(net);
    bool has_c = pylstm_cell_of(net->cell)->n_states > 1;
    struct NAME(stream) *stream = arena_take(arena, 1, 1, sizeof *stream);
    struct NAME(stream) carved = {
        .base = {net->dtype, *model, batch_size, PYLSTM_MISSING_NONE, 0},
        .kernels = kernels,
        .output_size = n_outputs > 0 ? n_outputs : output_size,
        .layers = arena_take(arena, net->n_layers, 1, sizeof(struct stream_layer)),
        .hidden_sizes = arena_take(arena, net->n_layers, 1, sizeof(ptrdiff_t)),
        .inputs = carve_scaling(arena, net->input_size),
        .targets = carve_scaling(arena, n_outputs),
        .filler = arena_take(arena, net->input_size, 1, sizeof(double)),
        .columns = arena_take(arena, net->input_size, 1, sizeof(int64_t)),
        .kept = arena_take(arena, batch_size, net->input_size, sizeof(double)),
        .scaled = arena_take(arena, batch_size, net->input_size, sizeof(real)),
        .outputs = arena_take(arena, batch_size, n_outputs, sizeof(real)),
        .order = arena_take(arena, reads_tokens(net) ? n_outputs : 0, 1, sizeof(uint32_t)),
    };
    if (reads_tokens(net))
        carved.tokens = arena_take(arena, batch_size, 1, sizeof(ptrdiff_t));
    if (pools) {
        carved.pool.counts = arena_take(arena, batch_size, 1, sizeof(int64_t));
        carved.pool.sofar = arena_take(arena, batch_size, output_size, sizeof(real));
        carved.pool.pooled = is_mean ? arena_take(arena, batch_size, output_size, sizeof(real)) : carved.pool.sofar;
    }
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        ptrdiff_t width = blocks_of(at.hidden_size, kernels->lanes) * kernels->lanes;
        struct layer of = {
            .kernels = kernels,
            .cell = net->cell,
            .input_size = at.input_size,
            .hidden_size = at.hidden_size,
            .input = at.layer == 0 ? net->input : PYLSTM_VALUES,
            .member = ALONE,
        };
        struct stream_layer layer = {
            .layer = of,
            .packed = NAME(packed_carve)(arena, &of),
            .width = width,
            .h = arena_take(arena, batch_size, width, sizeof(real)),
            .h_next = arena_take(arena, batch_size, width, sizeof(real)),
            .c = has_c ? arena_take(arena, batch_size, width, sizeof(real)) : NULL,
        };
        if (carved.layers)
            carved.layers[at.layer] = layer;
    }
    if (stream)
        *stream = carved;
    return stream;
}

int NAME(stream_size)(const pylstm_model *model, ptrdiff_t batch_size, size_t *bytes)
{
    struct arena counting = {0};
    carve(model, batch_size, &counting);
    return arena_total(&counting, bytes);
}

pylstm_stream *NAME(stream_init)(const pylstm_model *model, ptrdiff_t batch_size, pylstm_memory memory)
{
    struct arena arena = arena_at(memory);
    struct NAME(stream) *stream = carve(model, batch_size, &arena);
    memcpy(stream->hidden_sizes, model->net.hidden_sizes, (size_t)model->net.n_layers * sizeof(ptrdiff_t));
    stream->base.model.net.hidden_sizes = stream->hidden_sizes;
    return &stream->base;
}

static void set_scaling(struct scaling *to, ptrdiff_t n, pylstm_scaling from)
{
    to->is_on = from.mean != NULL;
    if (to->is_on) {
        memcpy(to->mean, from.mean, (size_t)n * sizeof *to->mean);
        memcpy(to->scale, from.scale, (size_t)n * sizeof *to->scale);
    }
}

static void set_missing(struct NAME(stream) * to, pylstm_missing from)
{
    if (from.kind == PYLSTM_MISSING_NONE)
        return;
    ptrdiff_t n_features = to->base.model.net.input_size - 2 * from.n_columns;
    memcpy(to->filler, from.mean, (size_t)n_features * sizeof *to->filler);
    if (from.n_columns > 0)
        memcpy(to->columns, from.columns, (size_t)from.n_columns * sizeof *to->columns);
    to->missing =
        (struct missing){from.kind == PYLSTM_MISSING_HOLD, n_features, to->filler, from.n_columns, to->columns};
}

void NAME(stream_set_weights)(pylstm_stream *stream, const void *parameters, pylstm_scalings scalings)
{
    struct NAME(stream) *to = (struct NAME(stream) *)stream;
    const pylstm_net *net = &to->base.model.net;
    pylstm_head_place head = pylstm_model_head(&to->base.model);
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        const real *from = parameters;
        struct layer layer = to->layers[at.layer].layer;
        layer.weight_ih = from + at.weight_ih;
        layer.weight_hh = from + at.weight_hh;
        layer.bias = from + at.bias;
        NAME(pack_layer)(&layer, to->layers[at.layer].packed);
        to->layers[at.layer].weights = NAME(packed_weights)(&layer, to->layers[at.layer].packed);
    }
    to->table = parameters;
    to->weight_out = (const real *)parameters + head.weight;
    to->bias_out = (const real *)parameters + head.bias;
    set_scaling(&to->inputs, net->input_size, scalings.inputs);
    set_scaling(&to->targets, to->base.model.n_outputs, scalings.targets);
    set_missing(to, scalings.missing);
}

/* The state between the caller's layout, rows of H, and the stream's, rows of H' that end in zeros. */
void NAME(stream_set_state)(pylstm_stream *stream, const void *state)
{
    struct NAME(stream) *to = (struct NAME(stream) *)stream;
    const real *from = state;
    for (ptrdiff_t l = 0; l < to->base.model.net.n_layers; l++) {
        struct stream_layer *layer = &to->layers[l];
        ptrdiff_t hidden = layer->layer.hidden_size, n = stream->batch_size;
        real *const parts[] = {layer->h, layer->c};
        for (int part = 0; part < 2 && parts[part]; part++) {
            memset(parts[part], 0, (size_t)(n * layer->width) * sizeof(real));
            for (ptrdiff_t b = 0; b < n && from; b++, from += hidden)
                memcpy(parts[part] + b * layer->width, from, (size_t)hidden * sizeof(real));
        }
    }
    if (is_running_pool(&stream->model))
        NAME(stream_set_pool)(stream, NULL, NULL);
    for (ptrdiff_t b = 0; b < stream->batch_size && stream->missing != PYLSTM_MISSING_NONE; b++)
        keep_nothing(&to->missing, to->kept + b * n_kept(&to->missing));
}

void NAME(stream_get_state)(const pylstm_stream *stream, void *state)
{
    const struct NAME(stream) *from = (const struct NAME(stream) *)stream;
    real *to = state;
    for (ptrdiff_t l = 0; l < stream->model.net.n_layers; l++) {
        const struct stream_layer *layer = &from->layers[l];
        ptrdiff_t hidden = layer->layer.hidden_size;
        const real *const parts[] = {layer->h, layer->c};
        for (int part = 0; part < 2 && parts[part]; part++)
            for (ptrdiff_t b = 0; b < stream->batch_size; b++, to += hidden)
                memcpy(to, parts[part] + b * layer->width, (size_t)hidden * sizeof(real));
    }
}

static size_t pool_bytes(const pylstm_stream *stream)
{
    return (size_t)(stream->batch_size * pylstm_net_output_size(&stream->model.net)) * sizeof(real);
}

/* NULL: of no steps. */
void NAME(stream_set_pool)(pylstm_stream *stream, const void *pool, const int64_t *counts)
{
    const struct running_pool *to = &((struct NAME(stream) *)stream)->pool;
    memset(to->sofar, 0, pool_bytes(stream));
    memset(to->counts, 0, (size_t)stream->batch_size * sizeof *counts);
    if (counts) {
        memcpy(to->sofar, pool, pool_bytes(stream));
        memcpy(to->counts, counts, (size_t)stream->batch_size * sizeof *counts);
    }
}

void NAME(stream_get_pool)(const pylstm_stream *stream, void *pool, int64_t *counts)
{
    const struct running_pool *from = &((const struct NAME(stream) *)stream)->pool;
    memcpy(pool, from->sofar, pool_bytes(stream));
    memcpy(counts, from->counts, (size_t)stream->batch_size * sizeof *counts);
}

static size_t kept_bytes(const struct NAME(stream) * stream)
{
    return (size_t)(stream->base.batch_size * n_kept(&stream->missing)) * sizeof *stream->kept;
}

void NAME(stream_set_kept)(pylstm_stream *stream, const double *kept)
{
    const struct NAME(stream) *to = (const struct NAME(stream) *)stream;
    memcpy(to->kept, kept, kept_bytes(to));
}

void NAME(stream_get_kept)(const pylstm_stream *stream, double *kept)
{
    const struct NAME(stream) *from = (const struct NAME(stream) *)stream;
    memcpy(kept, from->kept, kept_bytes(from));
}

/* Makes `scaled` of step s of readings x [B][n_steps][F] of which some may be missing, and keeps what is to be kept. */
static void complete_step(const struct NAME(stream) * stream, const void *x, ptrdiff_t n_steps, ptrdiff_t s)
{
    const struct missing *missing = &stream->missing;
    ptrdiff_t n_x = stream->base.model.net.input_size, n_features = missing->n_features;
    for (ptrdiff_t b = 0; b < stream->base.batch_size; b++) {
        const reading *of_step = (const reading *)x + (b * n_steps + s) * n_features;
        double *kept = stream->kept + b * n_kept(missing);
        complete_input(missing, of_step, kept, stream->inputs.mean, stream->inputs.scale, stream->scaled + b * n_x);
        keep_input(missing, of_step, kept);
    }
}

/* The tokens of step s of a block x [B][n_steps]; and what the net reads of them. */
static struct const_rows look_up(const struct NAME(stream) * stream, const void *x, ptrdiff_t n_steps, ptrdiff_t s)
{
    const pylstm_net *net = &stream->base.model.net;
    const struct inputs inputs = inputs_of(net, stream->table, x, sizeof(uint32_t));
    ptrdiff_t n_x = net->input_size;
    for (ptrdiff_t b = 0; b < stream->base.batch_size; b++) {
        stream->tokens[b] = token_at(&inputs, b * n_steps + s);
        if (inputs.rows)
            memcpy(stream->scaled + b * n_x, inputs.rows + stream->tokens[b] * n_x, (size_t)n_x * sizeof(real));
    }
    return (struct const_rows){stream->scaled, n_x};
}

/* What the net reads of step s of a block x [B][n_steps][I], of the dtype; or of readings, where there is a scaling. */
static struct const_rows input_of(const struct NAME(stream) * stream, const void *x, ptrdiff_t n_steps, ptrdiff_t s)
{
    ptrdiff_t n_x = stream->base.model.net.input_size, first = s * n_x, stride = n_steps * n_x;
    if (stream->tokens)
        return look_up(stream, x, n_steps, s);
    if (!stream->inputs.is_on)
        return (struct const_rows){(const real *)x + first, stride};
    if (stream->base.missing != PYLSTM_MISSING_NONE)
        complete_step(stream, x, n_steps, s);
    else
        for (ptrdiff_t b = 0; b < stream->base.batch_size; b++)
            scale_input(n_x, (const reading *)x + first + b * stride, stream->inputs.mean, stream->inputs.scale,
                        stream->scaled + b * n_x);
    return (struct const_rows){stream->scaled, n_x};
}

/* Takes a step's outputs h of the last layer into the pool; returns what is pooled. */
static struct const_rows pool_step(const struct NAME(stream) * stream, struct const_rows h)
{
    const struct running_pool *pool = &stream->pool;
    ptrdiff_t hidden = stream->layers[stream->base.model.net.n_layers - 1].layer.hidden_size;
    bool is_mean = stream->base.model.pooling == PYLSTM_POOL_MEAN;
    for (ptrdiff_t b = 0; b < stream->base.batch_size; b++) {
        const real *from = h.data + b * h.stride;
        real *sofar = pool->sofar + b * hidden, *pooled = pool->pooled + b * hidden;
        bool is_first = pool->counts[b]++ == 0;
        real count = (real)pool->counts[b];
        for (ptrdiff_t j = 0; j < hidden; j++) {
            real more = is_mean ? sofar[j] + from[j] : from[j] > sofar[j] ? from[j] : sofar[j];
            sofar[j] = is_first ? from[j] : more;
            if (is_mean)
                pooled[j] = sofar[j] / count;
        }
    }
    return (struct const_rows){pool->pooled, hidden};
}

/* Step s of y [B][n_steps][n_outputs, or H]: of the dtype; or of answers, where the targets were scaled. */
static void write_output(const struct NAME(stream) * stream, struct const_rows h, void *y, ptrdiff_t n_steps,
                         ptrdiff_t s)
{
    const pylstm_model *model = &stream->base.model;
    ptrdiff_t n_outputs = model->n_outputs, n_y = stream->output_size, first = s * n_y, stride = n_steps * n_y;
    ptrdiff_t hidden = stream->layers[model->net.n_layers - 1].layer.hidden_size;
    struct rows to = {(real *)y + first, stride};
    void (*predict)(ptrdiff_t, real *) = n_outputs > 0 ? NAME(loss)(model->loss)->predict : NULL;
    if (stream->targets.is_on)
        to = (struct rows){stream->outputs, n_y};
    if (n_outputs > 0)
        stream->kernels->dense(stream->base.batch_size, n_outputs, hidden, h, stream->weight_out, stream->bias_out, to);
    for (ptrdiff_t b = 0; b < stream->base.batch_size; b++) {
        real *row = to.data + b * to.stride;
        if (n_outputs == 0)
            memcpy(row, h.data + b * h.stride, (size_t)hidden * sizeof(real));
        else if (predict)
            predict(n_outputs, row);
        if (stream->targets.is_on)
            unscale_output(n_y, row, stream->targets.mean, stream->targets.scale, (answer *)y + first + b * stride);
    }
}

/* Takes a step of all layers; returns what the dense layer reads. */
static struct const_rows take_step(struct NAME(stream) * on, struct const_rows input)
{
    pylstm_net *net = &on->base.model.net;
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        struct stream_layer *layer = &on->layers[l];
        const struct step step = {
            .weights = &layer->weights,
            .rows = {.n = on->base.batch_size,
                     .x = input,
                     .tokens = layer->layer.input == PYLSTM_ONE_HOT ? on->tokens : NULL,
                     .h_prev = layer->h,
                     .own_prev = layer->c ? layer->c : layer->h,
                     .c = layer->c,
                     .h = layer->h_next},
            .last_first = net->last_first,
        };
        NAME(layer_step)(&layer->layer, &step);
        real *h = layer->h_next;
        layer->h_next = layer->h;
        layer->h = h;
        input = (struct const_rows){h, layer->width};
    }
    net->last_first = !net->last_first;
    return on->pool.counts ? pool_step(on, input) : input;
}

void NAME(stream_process)(pylstm_stream *stream, ptrdiff_t n_steps, const void *x, void *y)
{
    struct NAME(stream) *on = (struct NAME(stream) *)stream;
    for (ptrdiff_t s = 0; s < n_steps; s++)
        write_output(on, take_step(on, input_of(on, x, n_steps, s)), y, n_steps, s);
}

static void exclude(const pylstm_sampler *by, real *outputs)
{
    for (ptrdiff_t e = 0; e < by->n_excluded; e++)
        outputs[by->excluded[e]] = -(real)INFINITY;
}

/* As `draw`, but for vectors. */
static ptrdiff_t draw_output(const struct NAME(stream) * on, pylstm_sampler *by)
{
    const struct sampling how = {(real)by->temperature, by->top_k, (real)by->top_p};
    ptrdiff_t n = on->base.model.n_outputs;
    real *outputs = on->outputs;
    exclude(by, outputs);
    if (how.temperature == 0)
        return largest_of(n, outputs);
    cool(n, outputs, how.temperature);
    exclude(by, outputs); /* a temperature that is infinite makes NaN of it */
    real total = on->kernels->exponentials(n, outputs);
    for (ptrdiff_t e = 0; e < by->n_excluded; e++)
        outputs[by->excluded[e]] = 0;
    return choose(n, outputs, total, how, &by->seed, on->order);
}

void NAME(stream_generate)(pylstm_stream *stream, pylstm_sampler *sampler, uint32_t token, ptrdiff_t n,
                           uint32_t *tokens)
{
    struct NAME(stream) *on = (struct NAME(stream) *)stream;
    ptrdiff_t n_outputs = stream->model.n_outputs, hidden = pylstm_net_output_size(&stream->model.net);
    for (ptrdiff_t k = 0; k < n; k++) {
        struct const_rows features = take_step(on, look_up(on, &token, 1, 0));
        on->kernels->dense(1, n_outputs, hidden, features, on->weight_out, on->bias_out,
                           (struct rows){on->outputs, n_outputs});
        token = (uint32_t)draw_output(on, sampler);
        tokens[k] = token;
    }
}
