#include "model/head_pass.h"

#include "kernels/head.h"
#include "kernels/panels.h"
#include "model/losses.h"
#include "model/model.h"
#include "support/libm.h"

#include <string.h>

/* Scratch of all threads together, in bytes. */
#define SCRATCH ((ptrdiff_t)4 << 20)

/* Weights, in bytes, of which each share of the rows may have a copy, and sums. */
#define LARGE ((ptrdiff_t)1 << 20)

/* Rows at once: of few, tiles of the weights' gradient are loaded and stored more often than they are worth. */
enum { MOST_ROWS = 96, FEW_ROWS = 32 };

/* Outputs at once: a panel of their weights stays in the first-level cache. Where threads share the outputs, so many
 * columns of them are packed at once, when they are needed. */
enum { MOST_OUTPUTS = 96, COLUMNS = 512 };

/* Fewer outputs are no share. */
enum { LEAST_OUTPUTS = 32 };

/* Rows of weights are asked for by so many before. */
enum { AHEAD_ROWS = 6 };

/* From this many inputs and outputs on BLAS has the products, in chunks of up to so many rows. It packs what it reads
 * anew at each call, which is then little beside its work, and keeps inputs of any width in cache. OpenBLAS's time
 * beside ours, one thread of a Zen 3, 400 rows: 1.1 of 2,048 inputs and 64 outputs, 0.8 to 0.9 of 2,048 and 2,000, 0.8
 * of 4,096 and 256; 1.0 of 1,024 and 4,000. Of 10,000 outputs the scratch leaves it too few rows at once: 1.4 of 200
 * inputs. */
enum { WIDE = 2048, MANY_OUTPUTS = 256, MOST_BLAS_ROWS = 512 };

struct head_share {
    ptrdiff_t first, n_outputs;
    real *dweight, *dbias; /* of its outputs */
    bool has_sums;         /* whether they have been written since head_begin */
    double loss;

    /* Of a chunk of rows, one real for each and a vector more. */
    real *columns, *rows;        /* panels of the features: [width][rows], [rows][width] */
    real *values;                /* [outputs of all blocks, or of one]: outputs, then their gradient */
    real *largest, *sums;        /* softmax: of the share's own outputs */
    real *all_largest, *factors; /* of all outputs: the largest, and the row's share / sum */
    real *references;            /* [n_blocks] what a block's exponentials are relative to */
    real *block_factors;         /* what makes them gradients */
    real *own;                   /* the output of the row's label */
    real *dfeatures;             /* [rows][width padded]; the first share has the caller's */

    real *weight_panels; /* of a block and COLUMNS columns */
    real *row;           /* [block] the outputs of a row */
};

/* Rows of a pass, side by side: the values of an output are `stride` after those of the one before. */
struct chunk {
    ptrdiff_t first, n, padded, stride;
};

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t padded_to(ptrdiff_t n, ptrdiff_t lanes)
{
    return blocks_of(n, lanes) * lanes;
}

/* Columns of panels. */
static ptrdiff_t panel_columns(ptrdiff_t n, ptrdiff_t lanes)
{
    return n > lanes ? padded_to(n, lanes) : 2 * lanes;
}

/* The first of part s of n, in n_parts. */
static ptrdiff_t first_of(ptrdiff_t n, ptrdiff_t s, ptrdiff_t n_parts)
{
    return n / n_parts * s + smaller(s, n % n_parts);
}

/* ------------------------------------------------------------------ memory */

/* The most rows that the scratch is enough for, with so many outputs of each share in so many blocks; 0: none. */
static ptrdiff_t rows_within(const struct head *head, ptrdiff_t n_values, ptrdiff_t n_blocks)
{
    ptrdiff_t lanes = head->lanes, width = panel_columns(head->of->width, lanes);
    double n_shares = (double)head->n_shares, packed = head->blas ? 0 : (double)width;
    double fixed = n_shares * (double)n_values; /* row */
    double a_row = n_shares * (double)(n_values + n_blocks + 6);
    if (head->splits_outputs) {
        fixed += n_shares * (double)head->block * fmin(packed, COLUMNS);
        a_row += 2 * packed + (n_shares - 1) * (double)width;
    } else {
        a_row += n_shares * 2 * packed;
    }
    double n = ((double)(SCRATCH / (ptrdiff_t)sizeof(real)) - fixed) / a_row - (double)lanes;
    ptrdiff_t most = head->blas ? MOST_BLAS_ROWS : MOST_ROWS;
    return n > (double)most ? most : n > 0 ? (ptrdiff_t)n / lanes * lanes : 0;
}

/* Whether BLAS is worth it, with products that stay on the thread they are called on. */
static bool goes_to_blas(struct head *head, const pylstm_blas *blas, ptrdiff_t n_rows, ptrdiff_t own)
{
    ptrdiff_t width = head->of->width;
    if (!blas || width < WIDE || own < MANY_OUTPUTS)
        return false;
    head->blas = blas;
    head->block = own;
    head->chunk = smaller(rows_within(head, own, 1), blas->one_thread_product / width / own);
    if (head->chunk >= smaller(n_rows, MOST_ROWS))
        return true;
    head->blas = NULL;
    return false;
}

static void lay_out(struct head *head, const pylstm_blas *blas, ptrdiff_t n_rows, ptrdiff_t n_shares)
{
    const pylstm_head *of = head->of;
    ptrdiff_t bytes = of->width * (ptrdiff_t)sizeof(real), enough = smaller(n_rows, FEW_ROWS);
    head->splits_outputs = of->n_outputs > LARGE / bytes && of->n_outputs >= 2 * LEAST_OUTPUTS;
    head->n_shares = head->splits_outputs ? smaller(n_shares, of->n_outputs / LEAST_OUTPUTS) : n_shares;
    ptrdiff_t own = head->splits_outputs ? blocks_of(of->n_outputs, head->n_shares) : of->n_outputs;
    ptrdiff_t n_blocks = blocks_of(own, MOST_OUTPUTS);
    head->keeps_values = true;
    if (!goes_to_blas(head, blas, n_rows, own)) {
        head->block = blocks_of(own, n_blocks);
        head->chunk = rows_within(head, own, n_blocks);
        head->keeps_values = n_blocks == 1 || head->chunk >= enough;
        if (!head->keeps_values)
            head->chunk = rows_within(head, head->block, 1);
    }
    if (head->n_shares > 1 && head->chunk < enough) { /* too many threads for the scratch */
        lay_out(head, blas, n_rows, head->n_shares - 1);
        return;
    }
    head->chunk = smaller(head->chunk > head->lanes ? head->chunk : head->lanes, padded_to(n_rows, head->lanes));
}

static void carve(const pylstm_head *of, const pylstm_blas *blas, ptrdiff_t n_rows, struct arena *arena,
                  struct head *head)
{
    head->of = of;
    head->blas = NULL;
    head->kernels = NAME(kernels)(of->isa)->head;
    head->lanes = NAME(kernels)(of->isa)->lanes;
    lay_out(head, blas, n_rows, smaller(of->n_threads, MAX_THREADS));
    ptrdiff_t lanes = head->lanes, width = panel_columns(of->width, lanes), n_outputs = of->n_outputs;
    ptrdiff_t stride = head->chunk + lanes;
    bool splits = head->splits_outputs, packs = !head->blas;
    head->weight_panels = arena_take(arena, packs && !splits ? n_outputs : 0, width, sizeof(real));
    head->shares = arena_take(arena, head->n_shares, 1, sizeof *head->shares);
    struct head_share first = {0};
    for (ptrdiff_t s = 0; s < head->n_shares; s++) {
        struct head_share own = {.n_outputs = n_outputs};
        if (splits) {
            own.first = first_of(n_outputs, s, head->n_shares);
            own.n_outputs = first_of(n_outputs, s + 1, head->n_shares) - own.first;
        }
        bool shares_rows = splits && s > 0; /* with the first */
        own.dweight = arena_take(arena, splits || s == 0 ? 0 : n_outputs, of->width, sizeof(real));
        own.dbias = arena_take(arena, splits || s == 0 ? 0 : n_outputs, 1, sizeof(real));
        own.columns = shares_rows ? first.columns : arena_take(arena, packs ? of->width : 0, stride, sizeof(real));
        own.rows = shares_rows ? first.rows : arena_take(arena, packs ? width : 0, stride, sizeof(real));
        own.own = shares_rows ? first.own : arena_take(arena, 1, stride, sizeof(real));
        own.values = arena_take(arena, head->keeps_values ? own.n_outputs : head->block, stride, sizeof(real));
        own.largest = arena_take(arena, 1, stride, sizeof(real));
        own.sums = arena_take(arena, 1, stride, sizeof(real));
        own.all_largest = arena_take(arena, 1, stride, sizeof(real));
        own.factors = arena_take(arena, 1, stride, sizeof(real));
        own.block_factors = arena_take(arena, 1, stride, sizeof(real));
        own.references =
            arena_take(arena, head->keeps_values ? blocks_of(own.n_outputs, head->block) : 1, stride, sizeof(real));
        own.dfeatures = arena_take(arena, shares_rows ? width : 0, stride, sizeof(real));
        own.weight_panels = arena_take(arena, packs && splits ? head->block : 0, smaller(width, COLUMNS), sizeof(real));
        own.row = arena_take(arena, head->keeps_values ? own.n_outputs : head->block, 1, sizeof(real));
        first = s == 0 ? own : first;
        if (head->shares)
            head->shares[s] = own;
    }
}

/* With room for both ways to the products: who asks for the size may not know of a BLAS yet. */
void NAME(head_carve)(const pylstm_head *of, const pylstm_blas *blas, ptrdiff_t n_rows, struct arena *arena,
                      struct head *head)
{
    static const pylstm_blas any = {NULL, NULL, PTRDIFF_MAX};
    struct arena counting[2] = {{.used = arena->used}, {.used = arena->used}};
    carve(of, NULL, n_rows, &counting[0], head);
    carve(of, &any, n_rows, &counting[1], head);
    carve(of, blas, n_rows, arena, head);
    for (int k = 0; k < 2; k++) {
        arena->used = counting[k].used > arena->used ? counting[k].used : arena->used;
        arena->overflow |= counting[k].overflow;
    }
}

/* ---------------------------------------------------------------- products */

static struct const_rows weights_of(const struct head *head, const struct head_share *share, ptrdiff_t from)
{
    return (struct const_rows){head->weight + (share->first + from) * head->of->width, head->of->width};
}

static struct const_rows features_of(const struct head *head, const struct head_pass *pass, struct chunk chunk)
{
    return (struct const_rows){pass->features + chunk.first * head->of->width, head->of->width};
}

static void pack_features(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                          struct chunk chunk)
{
    if (head->blas)
        return;
    struct const_rows rows = features_of(head, pass, chunk);
    head->kernels->pack(chunk.n, rows.stride, rows, share->rows); /* first: it reads straight on */
    head->kernels->pack_transposed(rows.stride, chunk.n, rows, share->columns);
}

#if PYLSTM_REAL_BITS == 32
#define GEMM(blas) (blas)->sgemm
#else
#define GEMM(blas) (blas)->dgemm
#endif

/* out = start + a matrix, as a product of column-major matrices: out' = matrix' a'. */
static void multiply_by_blas(const pylstm_blas *blas, const struct product *p, struct const_rows matrix,
                             bool is_transposed)
{
    char op_matrix = is_transposed ? 'T' : 'N', op_a = p->a_k == 1 ? 'N' : 'T';
    int n_columns = (int)p->n_columns, n_rows = (int)p->n_rows, n_k = (int)p->n_k;
    int ld_matrix = (int)matrix.stride, ld_a = (int)(p->a_k == 1 ? p->a_row : p->a_k), ld_out = (int)p->out.stride;
    real one = 1, beta = p->adds || p->start;
    for (ptrdiff_t row = 0; row < p->n_rows && p->start; row++)
        for (ptrdiff_t c = 0; c < p->n_columns; c++)
            p->out.data[row * p->out.stride + c] = p->start[row];
    /* The Fortran interface knows no const; both are only read. */
    real *from = (real *)(uintptr_t)matrix.data, *a = (real *)(uintptr_t)p->a;
    GEMM(blas)(&op_matrix, &op_a, &n_columns, &n_rows, &n_k, &one, from, &ld_matrix, a, &ld_a, &beta, p->out.data,
               &ld_out);
}

/* By the kernels, from panels; or by BLAS, from the matrix that they were made of, which may lie transposed. */
static void multiply(const struct head *head, const struct product *p, struct const_rows matrix, bool is_transposed)
{
    if (head->blas)
        multiply_by_blas(head->blas, p, matrix, is_transposed);
    else
        head->kernels->product(p);
}

/* Weights that are larger than a cache. */
static struct const_rows ahead_of(const struct head *head, const struct head_share *share, ptrdiff_t from)
{
    return head->splits_outputs && from < share->n_outputs ? weights_of(head, share, from)
                                                           : (struct const_rows){NULL, 0};
}

/* values [n][stride] = bias + weight features', of n outputs of a share. */
static void compute_outputs(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                            struct chunk chunk, ptrdiff_t from, ptrdiff_t n, real *values)
{
    struct const_rows weight = weights_of(head, share, from);
    struct product product = {
        .n_rows = n,
        .n_columns = head->blas ? chunk.n : chunk.padded,
        .n_k = head->of->width,
        .a = weight.data,
        .a_row = weight.stride,
        .a_k = 1,
        .panels = share->columns,
        .out = {values, chunk.stride},
        .start = head->bias + share->first + from,
        .ahead = {ahead_of(head, share, from + AHEAD_ROWS)},
    };
    multiply(head, &product, features_of(head, pass, chunk), true);
    for (ptrdiff_t j = 0; j < n; j++) /* what is no row has to be a number */
        for (ptrdiff_t r = product.n_columns; r < chunk.padded; r++)
            values[j * chunk.stride + r] = 0;
}

/* dweight += values features */
static void add_to_dweight(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                           struct chunk chunk, ptrdiff_t from, ptrdiff_t n, const real *values)
{
    ptrdiff_t width = head->of->width;
    bool goes_on = head->splits_outputs && from + n < share->n_outputs;
    struct const_rows next = {share->dweight + (from + n) * width, goes_on ? width : 0};
    struct product product = {
        .n_rows = n,
        .n_columns = width,
        .n_k = chunk.n,
        .a = values,
        .a_row = chunk.stride,
        .a_k = 1,
        .panels = share->rows,
        .out = {share->dweight + from * width, width},
        .adds = share->has_sums,
        .ahead = {ahead_of(head, share, from), next}, /* for dfeatures; and of the next block's dweight */
    };
    multiply(head, &product, features_of(head, pass, chunk), false);
}

/* Those of the next chunk of rows, if it is as long, when this one's last outputs are at hand. */
static struct const_rows next_features(const struct head *head, const struct head_pass *pass, struct chunk chunk,
                                       bool is_last)
{
    ptrdiff_t next = chunk.first + chunk.n;
    return is_last && next + chunk.n <= pass->n_rows
               ? (struct const_rows){pass->features + next * head->of->width, head->of->width}
               : (struct const_rows){NULL, 0};
}

/* dfeatures = values' weight, added to what the blocks before gave. */
static void add_to_dfeatures(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                             struct chunk chunk, ptrdiff_t from, ptrdiff_t n, const real *values)
{
    ptrdiff_t width = head->of->width, padded = panel_columns(width, head->lanes);
    ptrdiff_t at_once = head->splits_outputs && !head->blas ? COLUMNS : width;
    bool is_callers = !head->splits_outputs || share == head->shares;
    struct rows out = {is_callers ? pass->dfeatures + chunk.first * width : share->dfeatures,
                       is_callers ? width : padded};
    for (ptrdiff_t column = 0; column < width; column += at_once) {
        struct const_rows weight = rows_from(weights_of(head, share, from), 0, column);
        struct product product = {
            .n_rows = chunk.n,
            .n_columns = smaller(at_once, width - column),
            .n_k = n,
            .a = values,
            .a_row = 1,
            .a_k = chunk.stride,
            .panels = head->splits_outputs ? share->weight_panels : head->weight_panels + from * padded,
            .out = {out.data + column, out.stride},
            .adds = from > 0,
            .ahead = {next_features(head, pass, chunk, from + n == share->n_outputs)},
        };
        if (head->splits_outputs && !head->blas)
            head->kernels->pack(n, product.n_columns, weight, share->weight_panels);
        multiply(head, &product, weight, false);
    }
}

/* ------------------------------------------------------------------ losses */

static double weight_of(const struct head_pass *pass, ptrdiff_t row)
{
    return (pass->weights ? pass->weights[row] : 1) / pass->total;
}

static bool is_softmax(const struct head *head)
{
    return head->of->loss == PYLSTM_CROSS_ENTROPY;
}

static real *values_at(const struct head *head, const struct head_share *share, struct chunk chunk, ptrdiff_t from)
{
    return share->values + (head->keeps_values ? from * chunk.stride : 0);
}

static real *reference_at(const struct head *head, const struct head_share *share, struct chunk chunk, ptrdiff_t from)
{
    return share->references + (head->keeps_values ? from / head->block * chunk.stride : 0);
}

/* Of a softmax: the outputs, as exponentials relative to the largest so far, and their sums. */
static void start_softmax(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                          struct chunk chunk)
{
    for (ptrdiff_t r = 0; r < chunk.padded; r++) {
        share->largest[r] = -(real)INFINITY;
        share->sums[r] = 0;
    }
    for (ptrdiff_t from = 0, n; from < share->n_outputs; from += n) {
        n = smaller(head->block, share->n_outputs - from);
        real *values = values_at(head, share, chunk, from), *reference = reference_at(head, share, chunk, from);
        compute_outputs(head, pass, share, chunk, from, n, values);
        for (ptrdiff_t r = 0; r < chunk.n; r++) {
            ptrdiff_t j = pass->labels[chunk.first + r] - share->first - from;
            if (j >= 0 && j < n)
                share->own[r] = values[j * chunk.stride + r];
        }
        head->kernels->exponentials(n, chunk.padded, (struct rows){values, chunk.stride}, share->largest, share->sums);
        memcpy(reference, share->largest, (size_t)chunk.padded * sizeof(real));
    }
}

/* What the shares know of their own outputs, put together for all; returns the loss. */
static double join_softmax(const struct head *head, const struct head_pass *pass, struct head_share *share,
                           struct chunk chunk)
{
    const struct head_share *with = head->splits_outputs ? head->shares : share;
    ptrdiff_t n_shares = head->splits_outputs ? head->n_shares : 1;
    double loss = 0;
    for (ptrdiff_t r = 0; r < chunk.padded; r++) {
        real largest = with->largest[r], sum = 0;
        for (ptrdiff_t s = 1; s < n_shares; s++)
            largest = with[s].largest[r] > largest ? with[s].largest[r] : largest;
        for (ptrdiff_t s = 0; s < n_shares; s++) {
            real less = with[s].largest[r] - largest;
            sum += less == 0 ? with[s].sums[r] : with[s].sums[r] * EXP(less);
        }
        double weight = r < chunk.n ? weight_of(pass, chunk.first + r) : 0;
        share->all_largest[r] = largest;
        share->factors[r] = (real)weight / sum;
        if (r < chunk.n)
            loss += weight * ((double)LOG(sum) + ((double)largest - (double)share->own[r]));
    }
    return loss;
}

/* A block's outputs to the gradient of the loss by them. */
static void finish_softmax(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                           struct chunk chunk, ptrdiff_t from, ptrdiff_t n, real *values)
{
    real *reference = reference_at(head, share, chunk, from);
    if (!head->keeps_values) {
        compute_outputs(head, pass, share, chunk, from, n, values);
        memcpy(reference, share->all_largest, (size_t)chunk.padded * sizeof(real));
        head->kernels->exponentials(n, chunk.padded, (struct rows){values, chunk.stride}, reference,
                                    share->block_factors);
    }
    for (ptrdiff_t r = 0; r < chunk.padded; r++) {
        real less = reference[r] - share->all_largest[r];
        share->block_factors[r] = less == 0 ? share->factors[r] : share->factors[r] * EXP(less);
    }
    head->kernels->scale(n, chunk.padded, (struct rows){values, chunk.stride}, share->block_factors,
                         share->dbias + from);
    for (ptrdiff_t r = 0; r < chunk.n; r++) {
        ptrdiff_t j = pass->labels[chunk.first + r] - share->first - from;
        if (j >= 0 && j < n) {
            values[j * chunk.stride + r] -= (real)weight_of(pass, chunk.first + r);
            share->dbias[from + j] -= (real)weight_of(pass, chunk.first + r);
        }
    }
}

/* The same where the losses of the outputs are a mean, row by row; returns the loss. */
static double finish_rows(const struct head *head, const struct head_pass *pass, const struct head_share *share,
                          struct chunk chunk, ptrdiff_t from, ptrdiff_t n, real *values)
{
    const struct loss *of = NAME(loss)(head->of->loss);
    ptrdiff_t n_outputs = head->of->n_outputs;
    double loss = 0, part = (double)n / (double)n_outputs; /* of the mean over all */
    compute_outputs(head, pass, share, chunk, from, n, values);
    for (ptrdiff_t r = 0; r < chunk.n; r++) {
        struct target target = {0, pass->targets + (chunk.first + r) * n_outputs + share->first + from};
        double weight = weight_of(pass, chunk.first + r);
        for (ptrdiff_t j = 0; j < n; j++)
            share->row[j] = values[j * chunk.stride + r];
        loss += weight * part * of->row(n, share->row, target, part, head->of->loss_parameter);
        for (ptrdiff_t j = 0; j < n; j++)
            values[j * chunk.stride + r] = share->row[j];
        share->factors[r] = (real)weight;
    }
    for (ptrdiff_t r = chunk.n; r < chunk.padded; r++)
        share->factors[r] = 0;
    head->kernels->scale(n, chunk.padded, (struct rows){values, chunk.stride}, share->factors, share->dbias + from);
    return loss;
}

/* Gradients of the outputs, and with them of everything else. */
static void finish_chunk(const struct head *head, const struct head_pass *pass, struct head_share *share,
                         struct chunk chunk)
{
    if (!share->has_sums)
        memset(share->dbias, 0, (size_t)share->n_outputs * sizeof(real));
    if (is_softmax(head)) {
        double loss = join_softmax(head, pass, share, chunk);
        share->loss += !head->splits_outputs || share == head->shares ? loss : 0;
    }
    for (ptrdiff_t from = 0, n; from < share->n_outputs; from += n) {
        n = smaller(head->block, share->n_outputs - from);
        real *values = values_at(head, share, chunk, from);
        if (is_softmax(head))
            finish_softmax(head, pass, share, chunk, from, n, values);
        else
            share->loss += finish_rows(head, pass, share, chunk, from, n, values);
        add_to_dweight(head, pass, share, chunk, from, n, values);
        add_to_dfeatures(head, pass, share, chunk, from, n, values);
    }
    share->has_sums = true;
}

/* ------------------------------------------------------------------ passes */

/* Rows [from, to) in chunks of equal size. */
static struct chunk first_chunk(const struct head *head, ptrdiff_t from, ptrdiff_t to)
{
    ptrdiff_t lanes = head->lanes, n_chunks = blocks_of(to - from, head->chunk);
    ptrdiff_t padded = n_chunks > 0 ? padded_to(blocks_of(to - from, n_chunks), lanes) : 0;
    return (struct chunk){from, smaller(padded, to - from), padded, padded + lanes};
}

static struct chunk next_chunk(const struct head *head, struct chunk chunk, ptrdiff_t to)
{
    chunk.first += chunk.n;
    chunk.n = smaller(chunk.n, to - chunk.first);
    chunk.padded = padded_to(chunk.n, head->lanes);
    return chunk;
}

static void add_rows(const struct head *head, const struct head_pass *pass, struct head_share *share, ptrdiff_t from,
                     ptrdiff_t to)
{
    for (struct chunk chunk = first_chunk(head, from, to); chunk.n > 0; chunk = next_chunk(head, chunk, to)) {
        pack_features(head, pass, share, chunk);
        if (is_softmax(head))
            start_softmax(head, pass, share, chunk);
        finish_chunk(head, pass, share, chunk);
    }
}

/* The rows of dfeatures that are this share's to put together. */
static void join_dfeatures(const struct head *head, const struct head_pass *pass, ptrdiff_t s, struct chunk chunk)
{
    ptrdiff_t width = head->of->width, padded = panel_columns(width, head->lanes);
    for (ptrdiff_t r = first_of(chunk.n, s, head->n_shares); r < first_of(chunk.n, s + 1, head->n_shares); r++)
        for (ptrdiff_t t = 1; t < head->n_shares; t++)
            for (ptrdiff_t k = 0; k < width; k++)
                pass->dfeatures[(chunk.first + r) * width + k] += head->shares[t].dfeatures[r * padded + k];
}

static void add_all_rows(const struct head *head, const struct head_pass *pass, struct member member)
{
#define FOR_SHARES(s) for (ptrdiff_t s = member.index; s < head->n_shares; s += member.n_members)
    ptrdiff_t to = pass->n_rows;
    for (struct chunk chunk = first_chunk(head, 0, to); chunk.n > 0; chunk = next_chunk(head, chunk, to)) {
        if (member.index == 0)
            pack_features(head, pass, head->shares, chunk);
        pylstm_wait_for_team(member);
        if (is_softmax(head)) {
            FOR_SHARES(s) start_softmax(head, pass, &head->shares[s], chunk);
            pylstm_wait_for_team(member);
        }
        FOR_SHARES(s) finish_chunk(head, pass, &head->shares[s], chunk);
        pylstm_wait_for_team(member);
        FOR_SHARES(s) join_dfeatures(head, pass, s, chunk);
    }
}

void NAME(head_begin)(struct head *head, const real *weight, const real *bias, real *dweight, real *dbias)
{
    ptrdiff_t width = head->of->width, padded = panel_columns(width, head->lanes);
    head->weight = weight;
    head->bias = bias;
    for (ptrdiff_t s = 0; s < head->n_shares; s++) {
        struct head_share *share = &head->shares[s];
        share->has_sums = false;
        share->loss = 0;
        if (head->splits_outputs || s == 0) {
            share->dweight = dweight + share->first * width;
            share->dbias = dbias + share->first;
        }
    }
    for (ptrdiff_t from = 0, n; from < head->of->n_outputs && !head->splits_outputs && !head->blas; from += n) {
        n = smaller(head->block, head->of->n_outputs - from);
        head->kernels->pack(n, width, weights_of(head, head->shares, from), head->weight_panels + from * padded);
    }
}

void NAME(head_add)(struct head *head, const struct head_pass *pass, struct member member)
{
    if (head->splits_outputs) {
        add_all_rows(head, pass, member);
        return;
    }
    /* no share with fewer than one, two or four vectors of rows */
    ptrdiff_t n_parts = smaller(head->n_shares, blocks_of(pass->n_rows, FEW_ROWS));
    ptrdiff_t part = n_parts > 0 ? padded_to(blocks_of(pass->n_rows, n_parts), head->lanes) : 0;
    for (ptrdiff_t s = member.index; s < n_parts; s += member.n_members)
        add_rows(head, pass, &head->shares[s], smaller(s * part, pass->n_rows), smaller((s + 1) * part, pass->n_rows));
}

void NAME(head_finish)(struct head *head, struct member member)
{
    ptrdiff_t width = head->of->width;
    pylstm_wait_for_team(member);
    for (ptrdiff_t s = member.index; s < head->n_shares && head->splits_outputs; s += member.n_members) {
        struct head_share *share = &head->shares[s];
        if (!share->has_sums) {
            memset(share->dweight, 0, (size_t)(share->n_outputs * width) * sizeof(real));
            memset(share->dbias, 0, (size_t)share->n_outputs * sizeof(real));
        }
    }
    if (head->splits_outputs)
        return;
    const struct head_share *all = head->shares;
    ptrdiff_t from = first_of(all->n_outputs, member.index, member.n_members);
    ptrdiff_t n = first_of(all->n_outputs, member.index + 1, member.n_members) - from;
    if (!all->has_sums) {
        memset(all->dweight + from * width, 0, (size_t)(n * width) * sizeof(real));
        memset(all->dbias + from, 0, (size_t)n * sizeof(real));
    }
    for (ptrdiff_t s = 1; s < head->n_shares; s++) {
        for (ptrdiff_t k = from * width; k < (from + n) * width && all[s].has_sums; k++)
            all->dweight[k] += all[s].dweight[k];
        for (ptrdiff_t j = from; j < from + n && all[s].has_sums; j++)
            all->dbias[j] += all[s].dbias[j];
    }
}

double NAME(head_loss)(const struct head *head)
{
    double loss = 0;
    for (ptrdiff_t s = 0; s < head->n_shares; s++)
        loss += head->shares[s].loss;
    return loss;
}

/* ------------------------------------------------------------ by itself */

int NAME(head_size)(const pylstm_head *of, ptrdiff_t n_rows, size_t *bytes)
{
    struct arena counting = {0};
    struct head head;
    NAME(head_carve)(of, NULL, n_rows, &counting, &head);
    return arena_total(&counting, bytes);
}

struct work {
    struct head head;
    struct head_pass pass;
};

static void add_and_finish(void *context, struct member member)
{
    struct work *work = context;
    NAME(head_add)(&work->head, &work->pass, member);
    NAME(head_finish)(&work->head, member);
}

int NAME(head_gradient)(const pylstm_head *of, const pylstm_blas *blas, const pylstm_head_batch *batch, double *loss,
                        pylstm_memory workspace)
{
    struct arena arena = arena_at(workspace);
    struct work work = {.pass = {.n_rows = batch->n_rows,
                                 .features = batch->features,
                                 .labels = batch->labels,
                                 .targets = batch->targets,
                                 .weights = batch->weights,
                                 .dfeatures = batch->dfeatures}};
    for (ptrdiff_t r = 0; r < batch->n_rows; r++)
        work.pass.total += batch->weights ? batch->weights[r] : 1;
    NAME(head_carve)(of, blas, batch->n_rows, &arena, &work.head);
    NAME(head_begin)(&work.head, batch->weight, batch->bias, batch->dweight, batch->dbias);
    pylstm_run_team(pylstm_head_n_members(of, batch->n_rows), add_and_finish, &work);
    *loss = NAME(head_loss)(&work.head);
    return PYLSTM_OK;
}
