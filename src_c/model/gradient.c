/* The gradient of a model's parameters, of mini-batches that are added up.
 *
 *   begin   nothing is summed up
 *   add     gather -> layers forward -> pooling -> head (outputs, loss, gradient) -> pooling back -> layers back
 *   finish  the sums of all threads, in the order of the parameters
 *
 * A team of threads does all of a call. Parts of the batch (parts.h) go through the layers side by side, the head is
 * shared out by itself; in between the members wait for each other. */
#include "kernels/isa.h"
#include "layers/batch.h"
#include "layers/parts.h"
#include "layers/passes.h"
#include "layers/stack.h"
#include "model/head_pass.h"
#include "model/losses.h"
#include "model/pooling.h"
#include "model/update.h"

#include <string.h>

/* The gradient of a table that is learnt, of the rows that occurred. They lie side by side, in the order in which their
 * tokens came first: of memory for all of them no more is touched than there are. */
struct table_sums {
    real *data;          /* [n_tokens][I]; NULL: there is none to learn */
    ptrdiff_t *place;    /* [n_tokens] which of these rows is a token's, if it has occurred */
    ptrdiff_t *occurred; /* [n_tokens] the tokens of these rows */
    bool *has_occurred;  /* [n_tokens] */
    ptrdiff_t n_occurred;
};

struct NAME(gradient) {
    struct pylstm_gradient base;
    const pylstm_blas *blas;
    real *parameters, *gradients; /* [n_parameters] */
    pylstm_memory packed;         /* the weights as steps read them; NULL data: they are read as they lie */
    bool is_packed;               /* they, and those of the way back, are what the parameters are */
    struct stack_sums sums;
    struct table_sums table;
    pylstm_head head_of;
    struct head head;
    pylstm_memory work; /* for one mini-batch */
};

/* A mini-batch at work, in the gradient's memory. */
struct work {
    pylstm_batch batch;
    ptrdiff_t *lengths; /* [B] */
    real *x;            /* [N][I], or */
    ptrdiff_t *tokens;  /* [N] */
    struct table_rows table;
    ptrdiff_t *labels;      /* [E], or */
    real *targets;          /* [E][n_outputs] */
    double *weights;        /* [E] */
    real *y, *dy;           /* [N][D * H] */
    real *pooled, *dpooled; /* [B][D * H]; without pooling y and dy */
    struct forward_pass forward;
    struct backward_pass backward;
};

static pylstm_memory take_bytes(struct arena *arena, size_t bytes)
{
    return (pylstm_memory){arena_take(arena, (ptrdiff_t)bytes, 1, 1), bytes};
}

static void carve_work(const pylstm_model *model, const pylstm_shape *shape, struct arena *arena, struct work *work)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t width = pylstm_net_output_size(net), n = n_predictions(model, shape), n_outputs = model->n_outputs;
    bool reads_labels = pylstm_reads_labels(model->loss);
    work->batch = pylstm_batch_carve(arena, shape);
    work->lengths = arena_take(arena, shape->n_sequences, 1, sizeof(ptrdiff_t));
    work->x = arena_take(arena, reads_tokens(net) ? 0 : shape->n_rows, net->input_size, sizeof(real));
    work->tokens = arena_take(arena, reads_tokens(net) ? shape->n_rows : 0, 1, sizeof *work->tokens);
    work->table = NAME(table_rows_carve)(net, shape, arena);
    work->labels = arena_take(arena, reads_labels ? n : 0, 1, sizeof(ptrdiff_t));
    work->targets = arena_take(arena, reads_labels ? 0 : n, n_outputs, sizeof(real));
    work->weights = arena_take(arena, n, 1, sizeof(double));
    work->y = arena_take(arena, shape->n_rows, width, sizeof(real));
    work->dy = arena_take(arena, shape->n_rows, width, sizeof(real));
    work->pooled = is_pooled(model) ? arena_take(arena, shape->n_sequences, width, sizeof(real)) : work->y;
    work->dpooled = is_pooled(model) ? arena_take(arena, shape->n_sequences, width, sizeof(real)) : work->dy;

    struct arena tape = {0};
    NAME(tape_carve)(net, shape, &tape);
    arena->overflow |= tape.overflow;
    work->forward.pass.net = work->backward.pass.net = net;
    work->forward.pass.tape = work->backward.pass.tape = take_bytes(arena, tape.used + ARENA_ALIGNMENT);
    struct arena back = *arena; /* in the same memory: one pass is over when the other begins */
    NAME(forward_carve)(&work->forward, shape, arena);
    NAME(backward_carve)(&work->backward, shape, &back);
    arena->used = back.used > arena->used ? back.used : arena->used;
    arena->overflow |= back.overflow;
}

static pylstm_head head_of(const pylstm_model *model, ptrdiff_t n_rows)
{
    pylstm_head head = {
        .dtype = model->net.dtype,
        .isa = model->net.isa,
        .n_threads = model->net.n_threads,
        .width = pylstm_net_output_size(&model->net),
        .n_outputs = model->n_outputs,
        .loss = model->loss,
        .loss_parameter = model->loss_parameter,
    };
    head.n_threads = pylstm_head_n_members(&head, n_rows);
    return head;
}

static struct table_sums carve_table(const pylstm_net *net, struct arena *arena)
{
    ptrdiff_t n = learns_table(net) ? net->n_tokens : 0;
    real *data = arena_take(arena, n, net->input_size, sizeof(real));
    return (struct table_sums){
        .data = n > 0 ? data : NULL,
        .place = arena_take(arena, n, 1, sizeof(ptrdiff_t)),
        .occurred = arena_take(arena, n, 1, sizeof(ptrdiff_t)),
        .has_occurred = arena_take(arena, n, 1, sizeof(bool)),
    };
}

/* Everything of a gradient; `on` has its base, parameters and gradients already. */
static void carve(struct NAME(gradient) * on, struct arena *arena)
{
    const pylstm_model *model = &on->base.model;
    const pylstm_shape *bound = &on->base.bound;
    size_t packed_bytes = 0;
    struct arena work = {0};
    struct work of_work = {0};
    if (NAME(reads_packed)(bound) && NAME(packed_size)(&model->net, &packed_bytes))
        arena->overflow = true;
    on->packed = (pylstm_memory){NULL, 0};
    if (packed_bytes > 0)
        on->packed = take_bytes(arena, packed_bytes);
    on->table = carve_table(&model->net, arena);
    on->sums.net = &on->base.model.net;
    on->sums.wants_dx = learns_table(&model->net);
    NAME(sums_carve)(&on->sums, bound, on->gradients, arena);
    on->head_of = head_of(model, n_predictions(model, bound));
    NAME(head_carve)(&on->head_of, on->blas, n_predictions(model, bound), arena, &on->head);
    carve_work(model, bound, &work, &of_work);
    arena->overflow |= work.overflow;
    on->work = take_bytes(arena, work.used + ARENA_ALIGNMENT);
}

int NAME(gradient_size)(const pylstm_model *model, const pylstm_shape *bound, size_t *bytes)
{
    struct NAME(gradient) counted = {.base = {.model = *model, .bound = *bound}};
    struct arena counting = {0};
    arena_take(&counting, 1, 1, sizeof counted);
    carve(&counted, &counting);
    return arena_total(&counting, bytes);
}

pylstm_gradient *NAME(gradient_init)(const pylstm_model *model, const pylstm_blas *blas, const pylstm_shape *bound,
                                     void *parameters, void *gradients, pylstm_memory memory)
{
    struct arena arena = arena_at(memory);
    struct NAME(gradient) *on = arena_take(&arena, 1, 1, sizeof *on);
    *on = (struct NAME(gradient)){
        .base = {model->net.dtype, *model, *bound}, .blas = blas, .parameters = parameters, .gradients = gradients};
    carve(on, &arena);
    if (model->net.n_tokens > 0 && on->table.data)
        memset(on->table.has_occurred, 0, (size_t)model->net.n_tokens * sizeof(bool));
    NAME(gradient_begin)(&on->base);
    return &on->base;
}

static struct NAME(gradient) * own(pylstm_gradient *gradient)
{
    return (struct NAME(gradient) *)gradient;
}

static void clear_table(struct table_sums *table)
{
    for (ptrdiff_t k = 0; k < table->n_occurred; k++)
        table->has_occurred[table->occurred[k]] = false;
    table->n_occurred = 0;
}

void NAME(gradient_begin)(pylstm_gradient *gradient)
{
    struct NAME(gradient) *on = own(gradient);
    pylstm_head_place at = pylstm_model_head(&gradient->model);
    on->is_packed = false;
    NAME(sums_clear)(&on->sums);
    clear_table(&on->table);
    NAME(head_begin)(&on->head, on->parameters + at.weight, on->parameters + at.bias, on->gradients + at.weight,
                     on->gradients + at.bias);
}

/* ------------------------------------------------------------------- gather */

static void gather_tokens(const pylstm_model *model, const pylstm_minibatch *batch, ptrdiff_t b, ptrdiff_t *tokens)
{
    struct inputs inputs = inputs_of(&model->net, NULL, batch->x[b], batch->token_size);
    for (ptrdiff_t s = 0; s < batch->length[b]; s++)
        tokens[s] = token_at(&inputs, s * batch->x_stride);
}

/* The rows of the sums that tokens [n] are added to; a token's first time they are zeros. */
static void find_places(struct table_sums *table, ptrdiff_t width, ptrdiff_t n, const ptrdiff_t *tokens,
                        ptrdiff_t *places)
{
    for (ptrdiff_t k = 0; k < n; k++) {
        ptrdiff_t token = tokens[k];
        if (!table->has_occurred[token]) {
            table->has_occurred[token] = true;
            table->occurred[table->n_occurred] = token;
            table->place[token] = table->n_occurred++;
            memset(table->data + table->place[token] * width, 0, (size_t)width * sizeof(real));
        }
        places[k] = table->place[token];
    }
}

/* Copies the mini-batch to where the work is done. */
static void gather(const pylstm_model *model, const pylstm_minibatch *batch, struct work *work)
{
    ptrdiff_t n_x = model->net.input_size, n_outputs = model->n_outputs, row = 0, e = 0;
    bool reads_labels = pylstm_reads_labels(model->loss);
    for (ptrdiff_t b = 0; b < batch->n_sequences; b++) {
        ptrdiff_t length = batch->length[b], n = is_pooled(model) ? 1 : length;
        const real *x = batch->x[b];
        work->lengths[b] = length;
        if (reads_tokens(&model->net))
            gather_tokens(model, batch, b, work->tokens + row);
        else if (batch->x_stride == n_x)
            memcpy(work->x + row * n_x, x, (size_t)(length * n_x) * sizeof(real));
        else
            for (ptrdiff_t s = 0; s < length; s++)
                memcpy(work->x + (row + s) * n_x, x + s * batch->x_stride, (size_t)n_x * sizeof(real));
        row += length;
        if (batch->targets && reads_labels)
            memcpy(work->labels + e, batch->targets[b], (size_t)n * sizeof(ptrdiff_t));
        else if (batch->targets)
            memcpy(work->targets + e * n_outputs, batch->targets[b], (size_t)(n * n_outputs) * sizeof(real));
        for (ptrdiff_t k = 0; k < n; k++, e++)
            work->weights[e] = batch->weights ? batch->weights[b][k] : 1;
    }
}

/* -------------------------------------------------------------------- phases */

struct call {
    struct NAME(gradient) * on;
    const pylstm_minibatch *batch;
    struct work work;
    struct head_pass head;
    struct update update; /* of a training step */
    double loss;
};

/* Lays out the work of a mini-batch; the same for each half of it. */
static void prepare(struct call *call, bool is_new)
{
    struct NAME(gradient) *on = call->on;
    const pylstm_model *model = &on->base.model;
    const pylstm_minibatch *batch = call->batch;
    struct work *work = &call->work;
    pylstm_shape shape;
    pylstm_shape_init(&shape, batch->n_sequences, batch->length);
    struct arena arena = arena_at(on->work);
    carve_work(model, &shape, &arena, work);
    if (is_new)
        gather(model, batch, work);
    if (is_new && on->table.data)
        find_places(&on->table, model->net.input_size, shape.n_rows, work->tokens, work->table.places);
    pylstm_batch_fill(&work->batch, &shape, work->lengths);
    struct pass *passes[] = {&work->forward.pass, &work->backward.pass};
    for (int k = 0; k < 2; k++) {
        passes[k]->batch = &work->batch;
        passes[k]->parameters = on->parameters;
        passes[k]->dropout_seed = batch->dropout_seed;
        passes[k]->dropout_rows = batch->row;
    }
    work->forward.packed = on->packed;
    work->forward.inputs = reads_tokens(&model->net)
                               ? inputs_of(&model->net, on->parameters, work->tokens, sizeof(ptrdiff_t))
                               : (struct inputs){.rows = work->x};
    work->forward.y = work->y;
    work->forward.state_in = batch->state_in;
    work->forward.state_out = batch->state_out;
    work->backward.dy = work->dy;
    work->backward.dx = work->table.dx;
    work->backward.dstate_out = batch->dstate_out;
    work->backward.dstate_in = batch->dstate_in;
    work->backward.sums = &on->sums;
    call->head = (struct head_pass){
        .n_rows = n_predictions(model, &shape),
        .features = work->pooled,
        .labels = work->labels,
        .targets = work->targets,
        .weights = work->weights,
        .total = batch->total_weight,
        .dfeatures = work->dpooled,
    };
    on->head_of.loss = model->loss;
}

/* Calls `each` for the parts of a pass that are this member's, or for the only one with all members. */
static void for_parts(struct call *call, const struct pass *pass, struct member member,
                      void (*each)(struct call *call, ptrdiff_t part, struct member member))
{
    if (pass->n_members > 1) {
        each(call, 0, member);
        return;
    }
    for (ptrdiff_t part = member.index; part < pass->n_parts; part += member.n_members)
        each(call, part, ALONE);
}

static void forward_part(struct call *call, ptrdiff_t part, struct member member)
{
    const pylstm_model *model = &call->on->base.model;
    struct work *work = &call->work;
    NAME(forward_part)(&work->forward, part, member);
    pylstm_wait_for_team(member); /* of a team on one sequence: until its outputs are complete */
    if (is_pooled(model) && member.index == 0) {
        struct outputs own_outputs = NAME(outputs_of)(&model->net, NAME(batch_of_part)(&work->forward.pass, part));
        NAME(pool_forward)(&own_outputs, model->pooling, work->y, work->pooled);
    }
}

static void backward_part(struct call *call, ptrdiff_t part, struct member member)
{
    const pylstm_model *model = &call->on->base.model;
    struct work *work = &call->work;
    if (is_pooled(model) && member.index == 0) {
        struct outputs own_outputs = NAME(outputs_of)(&model->net, NAME(batch_of_part)(&work->backward.pass, part));
        NAME(pool_backward)(&own_outputs, model->pooling, work->y, work->pooled, work->dpooled, work->dy);
    }
    pylstm_wait_for_team(member);
    NAME(backward_part)(&work->backward, part, member);
}

static void forward_by(struct call *call, struct member member)
{
    struct NAME(gradient) *on = call->on;
    if (!on->is_packed) {
        if (on->packed.data)
            NAME(pack_stack)(&on->base.model.net, on->parameters, on->packed, member);
        NAME(sums_pack)(&on->sums, on->parameters, member);
        pylstm_wait_for_team(member);
    }
    for_parts(call, &call->work.forward.pass, member, forward_part);
    pylstm_wait_for_team(member);
    if (member.index == 0)
        on->is_packed = true;
}

static void backward_by(struct call *call, struct member member)
{
    NAME(head_add)(&call->on->head, &call->head, member);
    pylstm_wait_for_team(member);
    for_parts(call, &call->work.backward.pass, member, backward_part);
    pylstm_wait_for_team(member);
    if (call->on->table.data)
        NAME(add_to_table)(&call->on->base.model.net, &call->work.table, call->on->table.data, member);
}

/* Of a table that is the dense layer's weights, too: what its rows gave to their gradient. */
static void add_tied_rows(const struct NAME(gradient) * on, struct member member)
{
    const struct table_sums *table = &on->table;
    ptrdiff_t width = on->base.model.net.input_size;
    for (ptrdiff_t k = member.index; k < table->n_occurred; k += member.n_members)
        for (ptrdiff_t j = 0; j < width; j++)
            on->gradients[table->occurred[k] * width + j] += table->data[k * width + j];
}

/* Of a table of its own: all rows, zeros where none has occurred, or none is learnt. */
static void write_rows(const struct NAME(gradient) * on, struct member member)
{
    const struct table_sums *table = &on->table;
    ptrdiff_t width = on->base.model.net.input_size;
    for (ptrdiff_t token = member.index; token < on->base.model.net.n_tokens; token += member.n_members) {
        real *to = on->gradients + token * width;
        if (table->data && table->has_occurred[token])
            memcpy(to, table->data + table->place[token] * width, (size_t)width * sizeof(real));
        else
            memset(to, 0, (size_t)width * sizeof(real));
    }
}

static void finish_by(struct call *call, struct member member)
{
    struct NAME(gradient) *on = call->on;
    NAME(sums_finish)(&on->sums, on->gradients, member);
    NAME(head_finish)(&on->head, member);
    pylstm_wait_for_team(member);
    if (on->base.model.is_tied)
        add_tied_rows(on, member);
    if (member.index == 0)
        call->loss = NAME(head_loss)(&on->head);
}

/* As many threads as the layers, or what else there is to share, are worth. Those on one sequence have scratch for so
 * many. */
static ptrdiff_t n_members_of(const struct call *call, ptrdiff_t n_shares)
{
    const struct pass *pass = &call->work.forward.pass;
    if (pass->n_members > 1)
        return pass->n_members;
    return pass->n_parts > n_shares ? pass->n_parts : n_shares;
}

/* --------------------------------------------------------------------- calls */

static void run_forward(void *context, struct member member)
{
    forward_by(context, member);
}

static void run_backward(void *context, struct member member)
{
    backward_by(context, member);
}

static void run_add(void *context, struct member member)
{
    forward_by(context, member);
    backward_by(context, member);
}

static void run_finish(void *context, struct member member)
{
    const struct call *call = context;
    const pylstm_model *model = &call->on->base.model;
    finish_by(context, member);
    if (has_table(&model->net) && !model->is_tied)
        write_rows(call->on, member);
}

static void run_step(void *context, struct member member)
{
    struct call *call = context;
    run_add(call, member);
    finish_by(call, member);
    pylstm_wait_for_team(member); /* for the loss */
    double loss = NAME(update_by)(&call->update, call->loss, member);
    pylstm_wait_for_team(member); /* until all have read it */
    if (member.index == 0)
        call->loss = loss;
}

void NAME(gradient_add)(pylstm_gradient *gradient, const pylstm_minibatch *batch)
{
    struct call call = {.on = own(gradient), .batch = batch};
    prepare(&call, true);
    pylstm_run_team(n_members_of(&call, call.on->head_of.n_threads), batch->total_weight == 0 ? run_forward : run_add,
                    &call);
}

void NAME(gradient_outputs)(pylstm_gradient *gradient, const pylstm_minibatch *batch, void *outputs)
{
    struct call call = {.on = own(gradient), .batch = batch};
    const pylstm_model *model = &gradient->model;
    ptrdiff_t width = pylstm_net_output_size(&model->net), n_outputs = model->n_outputs;
    pylstm_head_place at = pylstm_model_head(model);
    prepare(&call, true);
    pylstm_run_team(n_members_of(&call, 1), run_forward, &call);
    NAME(kernels)(model->net.isa)
        ->dense(call.head.n_rows, n_outputs, width, (struct const_rows){call.head.features, width},
                call.on->parameters + at.weight, call.on->parameters + at.bias, (struct rows){outputs, n_outputs});
}

void NAME(gradient_backward)(pylstm_gradient *gradient, const pylstm_minibatch *batch, const void *doutputs)
{
    struct call call = {.on = own(gradient), .batch = batch};
    prepare(&call, false);
    call.on->head_of.loss = PYLSTM_CALLER;
    call.head.targets = doutputs;
    call.head.weights = NULL;
    call.head.total = 1;
    pylstm_run_team(n_members_of(&call, call.on->head_of.n_threads), run_backward, &call);
}

double NAME(gradient_finish)(pylstm_gradient *gradient)
{
    struct call call = {.on = own(gradient)};
    ptrdiff_t n = call.on->sums.n_parts;
    pylstm_run_team(n > call.on->head_of.n_threads ? n : call.on->head_of.n_threads, run_finish, &call);
    return call.loss;
}

double NAME(train_step)(pylstm_gradient *gradient, const pylstm_minibatch *batch, pylstm_solver *solver)
{
    struct call call = {.on = own(gradient), .batch = batch};
    NAME(gradient_begin)(gradient);
    prepare(&call, true);
    call.update = (struct update){
        .model = &gradient->model,
        .solver = solver,
        .parameters = call.on->parameters,
        .gradients = call.on->gradients,
        .n_rows = rows_to_learn(&gradient->model),
        .rows = call.on->table.data,
        .place = call.on->table.place,
        .has_occurred = call.on->table.has_occurred,
        .total_weight = batch->total_weight,
        .n_shares = NAME(update_shares)(&gradient->model),
    };
    ptrdiff_t of_head = call.on->head_of.n_threads, of_update = call.update.n_shares;
    pylstm_run_team(n_members_of(&call, of_head > of_update ? of_head : of_update),
                    batch->total_weight == 0 ? run_forward : run_step, &call);
    return call.loss;
}
