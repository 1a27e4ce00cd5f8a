/* The head in training against plain loops in double precision, for every instruction set. Included once per dtype,
 * after PYLSTM_REAL_BITS is defined. */
#ifndef HEAD_CHECKS_H
#define HEAD_CHECKS_H

#include "model/head_pass.h"

#include "check.h"

#include <float.h>

#if PYLSTM_REAL_BITS == 32
#define REAL_EPSILON FLT_EPSILON
#else
#define REAL_EPSILON DBL_EPSILON
#endif

static const char *const loss_names[] = {"cross-entropy", "squared error", "absolute error",
                                         "huber",         "quantile",      "sigmoid"};

/* What is under test: rows, what they should have been, and what plain loops make of them. */
static struct setting {
    pylstm_head head;
    ptrdiff_t n_rows;
    const pylstm_blas *blas;
    real *features, *weight, *bias, *targets;
    ptrdiff_t *labels;
    double *weights; /* or NULL */
    double total, loss, *dfeatures, *dweight, *dbias;
} at;

/* What the head made of them. */
struct gradient {
    double loss;
    real *dfeatures, *dweight, *dbias;
};

static void expect(int holds, const char *what)
{
    if (!holds)
        printf("%s: %s, %s, float%d: %td rows, width %td, %td outputs, %td threads\n", what, loss_names[at.head.loss],
               pylstm_isa_name((int)at.head.isa), PYLSTM_REAL_BITS, at.n_rows, at.head.width, at.head.n_outputs,
               at.head.n_threads);
    CHECK(holds);
}

static real *random_array(ptrdiff_t n, double scale)
{
    real *values = allocate((size_t)n * sizeof *values);
    for (ptrdiff_t k = 0; k < n; k++)
        values[k] = (real)(draw() * scale);
    return values;
}

static double *zeros(ptrdiff_t n)
{
    double *values = allocate((size_t)n * sizeof *values);
    memset(values, 0, (size_t)n * sizeof *values);
    return values;
}

/* The loss of a row of outputs z [n], which become their gradients: from the words of pylstm.h. */
static double plain_loss(ptrdiff_t row, double *z)
{
    ptrdiff_t n = at.head.n_outputs;
    double loss = 0, largest = z[0], sum = 0, parameter = at.head.loss_parameter;
    if (at.head.loss == PYLSTM_CROSS_ENTROPY) {
        for (ptrdiff_t j = 0; j < n; j++)
            largest = fmax(largest, z[j]);
        for (ptrdiff_t j = 0; j < n; j++)
            sum += exp(z[j] - largest);
        loss = log(sum) + largest - z[at.labels[row]];
        for (ptrdiff_t j = 0; j < n; j++)
            z[j] = exp(z[j] - largest) / sum - (j == at.labels[row]);
        return loss;
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        double target = (double)at.targets[row * n + j], r = z[j] - target, p = 1 / (1 + exp(-z[j]));
        switch (at.head.loss) {
        case PYLSTM_SQUARED_ERROR:
            loss += r * r / 2, z[j] = r;
            break;
        case PYLSTM_ABSOLUTE_ERROR:
            loss += fabs(r), z[j] = (r > 0) - (r < 0);
            break;
        case PYLSTM_HUBER:
            loss += fabs(r) <= parameter ? r * r / 2 : parameter * (fabs(r) - parameter / 2);
            z[j] = fmin(fmax(r, -parameter), parameter);
            break;
        case PYLSTM_QUANTILE:
            loss += r > 0 ? (1 - parameter) * r : -parameter * r;
            z[j] = r > 0 ? 1 - parameter : r < 0 ? -parameter : 0;
            break;
        default: /* sigmoid */
            loss -= target * log(p) + (1 - target) * log(1 - p);
            z[j] = p - target;
        }
        z[j] /= (double)n;
    }
    return loss / (double)n;
}

static void compute_plainly(void)
{
    ptrdiff_t width = at.head.width, n_outputs = at.head.n_outputs;
    double *z = zeros(n_outputs);
    at.loss = 0;
    for (ptrdiff_t r = 0; r < at.n_rows; r++) {
        double share = (at.weights ? at.weights[r] : 1) / at.total;
        for (ptrdiff_t j = 0; j < n_outputs; j++) {
            z[j] = (double)at.bias[j];
            for (ptrdiff_t k = 0; k < width; k++)
                z[j] += (double)at.features[r * width + k] * (double)at.weight[j * width + k];
        }
        at.loss += share * plain_loss(r, z);
        for (ptrdiff_t j = 0; j < n_outputs; j++) {
            at.dbias[j] += share * z[j];
            for (ptrdiff_t k = 0; k < width; k++) {
                at.dweight[j * width + k] += share * z[j] * (double)at.features[r * width + k];
                at.dfeatures[r * width + k] += share * z[j] * (double)at.weight[j * width + k];
            }
        }
    }
    free(z);
}

static void set_up(ptrdiff_t n_rows, ptrdiff_t width, ptrdiff_t n_outputs, pylstm_loss loss)
{
    at.n_rows = n_rows, at.head.width = width, at.head.n_outputs = n_outputs, at.head.loss = loss;
    at.head.loss_parameter = loss == PYLSTM_HUBER ? 0.5 : 0.25; /* of the two that read one */
    at.features = random_array(n_rows * width, 1);
    at.weight = random_array(n_outputs * width, 3 / sqrt((double)width));
    at.bias = random_array(n_outputs, 2);
    at.targets = random_array(n_rows * n_outputs, 2);
    at.labels = allocate((size_t)n_rows * sizeof *at.labels);
    at.weights = n_rows % 2 ? allocate((size_t)n_rows * sizeof *at.weights) : NULL;
    at.total = 0;
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        at.labels[r] = (ptrdiff_t)((draw() + 1) / 2 * (double)n_outputs);
        if (at.weights)
            at.weights[r] = r % 5 == 3 ? 0 : 1 + draw();
        at.total += at.weights ? at.weights[r] : 1;
    }
    for (ptrdiff_t k = 0; k < n_rows * n_outputs && loss == PYLSTM_SIGMOID; k++)
        at.targets[k] = at.targets[k] > 0;
    at.dfeatures = zeros(n_rows * width), at.dweight = zeros(n_outputs * width), at.dbias = zeros(n_outputs);
    compute_plainly();
}

static void tear_down(void)
{
    void *all[] = {at.features, at.weight, at.bias,    at.targets,  at.labels,
                   at.weights,  at.dbias,  at.dweight, at.dfeatures};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
}

/* ------------------------------------------------------------------ passes */

static struct gradient new_gradient(void)
{
    ptrdiff_t width = at.head.width;
    return (struct gradient){NAN, random_array(at.n_rows * width, 1), random_array(at.head.n_outputs * width, 1),
                             random_array(at.head.n_outputs, 1)};
}

static void free_gradient(struct gradient gradient)
{
    free(gradient.dfeatures);
    free(gradient.dweight);
    free(gradient.dbias);
}

/* Rows in passes of so many, by one member or as many as there are threads. */
struct passes {
    struct head head;
    struct gradient gradient;
    ptrdiff_t rows;
};

static void run_passes(void *context, struct member member)
{
    struct passes *passes = context;
    for (ptrdiff_t row = 0; row < at.n_rows; row += passes->rows) {
        struct head_pass pass = {
            .n_rows = at.n_rows - row < passes->rows ? at.n_rows - row : passes->rows,
            .features = at.features + row * at.head.width,
            .labels = at.labels + row,
            .targets = at.targets + row * at.head.n_outputs,
            .weights = at.weights ? at.weights + row : NULL,
            .total = at.total,
            .dfeatures = passes->gradient.dfeatures + row * at.head.width,
        };
        NAME(head_add)(&passes->head, &pass, member);
    }
    NAME(head_finish)(&passes->head, member);
}

static struct gradient gradient_of(ptrdiff_t rows, ptrdiff_t n_members)
{
    struct passes passes = {.gradient = new_gradient(), .rows = rows};
    struct arena arena = {0};
    NAME(head_carve)(&at.head, at.blas, at.n_rows, &arena, &passes.head);
    size_t bytes = 0;
    CHECK_STATUS(arena_total(&arena, &bytes), PYLSTM_OK);
    void *memory = allocate(bytes);
    arena = arena_at((pylstm_memory){memory, bytes});
    NAME(head_carve)(&at.head, at.blas, at.n_rows, &arena, &passes.head);
    NAME(head_begin)(&passes.head, at.weight, at.bias, passes.gradient.dweight, passes.gradient.dbias);
    pylstm_run_team(n_members, run_passes, &passes);
    passes.gradient.loss = NAME(head_loss)(&passes.head);
    free(memory);
    return passes.gradient;
}

/* Within some roundings of the largest there is, or of 0.05: where there is one class, terms up to 1 add up to 0. */
static int near(const real *got, const double *expected, ptrdiff_t n)
{
    double largest = 0.05, error = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        largest = fmax(largest, fabs(expected[k]));
        error = fmax(error, isnan(got[k]) ? INFINITY : fabs((double)got[k] - expected[k]));
    }
    return error <= 100 * (double)REAL_EPSILON * largest;
}

static void expect_near(struct gradient got)
{
    ptrdiff_t width = at.head.width;
    expect(fabs(got.loss - at.loss) <= 100 * (double)REAL_EPSILON * (1 + fabs(at.loss)), "loss");
    expect(near(got.dfeatures, at.dfeatures, at.n_rows * width), "dfeatures");
    expect(near(got.dweight, at.dweight, at.head.n_outputs * width), "dweight");
    expect(near(got.dbias, at.dbias, at.head.n_outputs), "dbias");
}

static int same(struct gradient a, struct gradient b)
{
    ptrdiff_t width = at.head.width, n_outputs = at.head.n_outputs;
    return a.loss == b.loss && memcmp(a.dfeatures, b.dfeatures, (size_t)(at.n_rows * width) * sizeof(real)) == 0 &&
           memcmp(a.dweight, b.dweight, (size_t)(n_outputs * width) * sizeof(real)) == 0 &&
           memcmp(a.dbias, b.dbias, (size_t)n_outputs * sizeof(real)) == 0;
}

/* By the kernels of one instruction set, or of the best; with two threads, of what is large, in shards only. */
static void check_isa(pylstm_isa isa)
{
    bool is_large = at.head.n_outputs * at.head.width > 1 << 16;
    at.head.isa = isa;
    for (at.head.n_threads = 1; at.head.n_threads <= 3; at.head.n_threads += is_large ? 2 : 1) {
        struct gradient alone = gradient_of(at.n_rows, 1);
        expect_near(alone);
        if (at.head.n_threads > 1) { /* the bits of a share do not depend on who takes it */
            struct gradient together = gradient_of(at.n_rows, at.head.n_threads);
            expect(same(alone, together), "members");
            free_gradient(together);
        }
        free_gradient(alone);
    }
    at.head.n_threads = 2;
    struct gradient shards = gradient_of(at.n_rows / 3 + 1, 2);
    expect_near(shards);
    free_gradient(shards);
}

/* What the plain loops make of it is the same for all instruction sets. */
static void check_sizes(ptrdiff_t n_rows, ptrdiff_t width, ptrdiff_t n_outputs, pylstm_loss loss)
{
    set_up(n_rows, width, n_outputs, loss);
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        if (is_tested(isa))
            check_isa((pylstm_isa)isa);
    tear_down();
}

/* --------------------------------------------------------------------- all */

static void check_all_sizes(void)
{
    static const ptrdiff_t rows[] = {1, 2, 7, 32, 33, 97, 131}, widths[] = {1, 3, 8, 17, 31, 64, 67};
    static const ptrdiff_t outputs[] = {1, 2, 5, 9, 65, 97};
    enum { N_ROWS = sizeof rows / sizeof *rows, N_WIDTHS = sizeof widths / sizeof *widths };
    enum { N_OUTPUTS = sizeof outputs / sizeof *outputs };
    at.head = (pylstm_head){.dtype = PYLSTM_REAL_BITS == 32 ? PYLSTM_FLOAT32 : PYLSTM_FLOAT64};
    at.blas = &pylstm_blas_reference;
    for (int r = 0; r < N_ROWS; r++)
        for (int j = 0; j < N_OUTPUTS; j++)
            for (int loss = 0; loss < PYLSTM_CALLER; loss++)
                check_sizes(rows[r], widths[(r + j + loss) % N_WIDTHS], outputs[j], (pylstm_loss)loss);
    /* Weights of a little over 1 MB, so that threads share the outputs: in two chunks of rows, in two and three parts
     * of the columns; then so many outputs that they are not kept but computed twice. */
    const ptrdiff_t times = 64 / PYLSTM_REAL_BITS;
    check_sizes(97, 531, 255 * times, PYLSTM_CROSS_ENTROPY); /* in blocks of 85, a tile's rows and one more */
    check_sizes(33, 1031, 129 * times, PYLSTM_SIGMOID);      /* of 86 or 65, and two more */
    check_sizes(35, 5, (273 * times + 1) * 96 + 1, PYLSTM_CROSS_ENTROPY); /* of 96, and one of a single output */
    check_sizes(33, 5, 27000 * times, PYLSTM_QUANTILE);
}

/* Rows that no weight is on, or none at all, leave zeros. */
static void check_nothing(ptrdiff_t n_outputs)
{
    at.head = (pylstm_head){.dtype = PYLSTM_REAL_BITS == 32 ? PYLSTM_FLOAT32 : PYLSTM_FLOAT64, .n_threads = 2};
    set_up(3, 700, n_outputs, PYLSTM_CROSS_ENTROPY);
    memset(at.dweight, 0, (size_t)(n_outputs * 700) * sizeof *at.dweight);
    memset(at.dbias, 0, (size_t)n_outputs * sizeof *at.dbias);
    at.n_rows = 0, at.loss = 0;
    struct gradient none = gradient_of(1, 2);
    expect_near(none);
    free_gradient(none);
    tear_down();
}

/* Scratch is 4 MB at most, beside the sums and weights that fit into a cache. */
static void check_memory(void)
{
    static const ptrdiff_t outputs[] = {65, 300, 1000, 10000, 100000, 1000000};
    for (size_t k = 0; k < sizeof outputs / sizeof *outputs; k++) {
        for (ptrdiff_t n_threads = 1; n_threads <= MAX_THREADS; n_threads *= 2) {
            pylstm_head of = {.dtype = PYLSTM_FLOAT32, .n_threads = n_threads, .width = 200, .n_outputs = outputs[k]};
            struct arena arena = {0};
            struct head head;
            NAME(head_carve)(&of, NULL, 100000, &arena, &head);
            size_t copies = head.splits_outputs ? 0 : (size_t)(head.n_shares * outputs[k] * 201) * sizeof(real);
            if (arena.used > ((size_t)4 << 20) + ((size_t)128 << 10) + copies)
                printf("%td outputs, %td threads: %zu bytes\n", outputs[k], n_threads, arena.used);
            CHECK(arena.used <= ((size_t)4 << 20) + ((size_t)128 << 10) + copies);
            CHECK(copies <= (size_t)n_threads * ((size_t)17 << 16));
        }
    }
}

/* --------------------------------------------------------------------- BLAS */

static int n_blas_calls;

static void count_sgemm(char *transa, char *transb, int *m, int *n, int *k, float *alpha, float *a, int *lda, float *b,
                        int *ldb, float *beta, float *c, int *ldc)
{
    n_blas_calls++;
    pylstm_blas_reference.sgemm(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void count_dgemm(char *transa, char *transb, int *m, int *n, int *k, double *alpha, double *a, int *lda,
                        double *b, int *ldb, double *beta, double *c, int *ldc)
{
    n_blas_calls++;
    pylstm_blas_reference.dgemm(transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static void check_blas_sizes(ptrdiff_t width, pylstm_loss loss)
{
    set_up(3, width, 773, loss);
    check_isa(PYLSTM_ISA_BEST);
    tear_down();
}

/* Wide inputs and many outputs, of each of three threads, go to a BLAS that stays on its thread with products as large;
 * others do not. */
static void check_blas(void)
{
    pylstm_blas blas = {count_sgemm, count_dgemm, PTRDIFF_MAX};
    at.head = (pylstm_head){.dtype = PYLSTM_REAL_BITS == 32 ? PYLSTM_FLOAT32 : PYLSTM_FLOAT64, .n_threads = 1};
    at.blas = &blas;
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        n_blas_calls = 0;
        check_blas_sizes(is_wide ? 2050 : 150, is_wide ? PYLSTM_CROSS_ENTROPY : PYLSTM_SQUARED_ERROR);
        CHECK((n_blas_calls > 0) == is_wide);
    }
    n_blas_calls = 0;
    blas.one_thread_product = (ptrdiff_t)1 << 18;
    check_blas_sizes(2050, PYLSTM_CROSS_ENTROPY);
    CHECK(n_blas_calls == 0);
}

static void check_heads(void)
{
    check_all_sizes();
    check_nothing(9);
    check_nothing(500);
    check_memory();
    check_blas();
}

#endif
