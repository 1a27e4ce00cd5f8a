/* Tokens that are drawn from a stream's outputs: as often as they are probable, none that is excluded, the same in one
 * call and in several. */
#include "tokens.h"

enum { N_TOKENS = 37 };

struct writer {
    const pylstm_model *model;
    void *parameters;
    pylstm_stream *stream;
    void *memory;
};

static struct writer new_writer(const pylstm_model *model, double scale)
{
    struct writer w = {.model = model};
    size_t bytes;
    w.parameters = random_reals(&model->net, pylstm_model_n_parameters(model), scale);
    CHECK_STATUS(pylstm_stream_size(model, 1, &bytes), PYLSTM_OK);
    w.memory = allocate(bytes);
    CHECK_STATUS(pylstm_stream_init(&w.stream, model, 1, w.parameters, NULL, (pylstm_memory){w.memory, bytes}),
                 PYLSTM_OK);
    return w;
}

static void free_writer(struct writer w)
{
    free(w.parameters);
    free(w.memory);
}

static void generate(struct writer w, pylstm_sampler *by, uint32_t token, ptrdiff_t n, uint32_t *tokens)
{
    CHECK_STATUS(pylstm_stream_set_state(w.stream, NULL), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_generate(w.stream, by, token, n, tokens), PYLSTM_OK);
}

static bool is_among(const uint32_t *excluded, ptrdiff_t n, uint32_t token)
{
    for (ptrdiff_t k = 0; k < n; k++)
        if (excluded[k] == token)
            return true;
    return false;
}

/* Probabilities of the token after the first one. */
static void probabilities_of(struct writer w, uint32_t first, double *out)
{
    void *y = new_reals(&w.model->net, N_TOKENS);
    CHECK_STATUS(pylstm_stream_set_state(w.stream, NULL), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_process(w.stream, 1, &first, y), PYLSTM_OK);
    for (ptrdiff_t k = 0; k < N_TOKENS; k++)
        out[k] = get_real(&w.model->net, y, k);
    free(y);
}

/* The weights that a sampler leaves: p^(1 / temperature), of the largest ones. */
static double leave(const pylstm_sampler *by, double *p)
{
    double all = 0, sum = 0, kept[N_TOKENS] = {0};
    for (uint32_t k = 0; k < N_TOKENS; k++)
        all += p[k] = is_among(by->excluded, by->n_excluded, k) ? 0 : pow(p[k], 1 / by->temperature);
    for (ptrdiff_t n = 0; n < (by->top_k ? by->top_k : N_TOKENS) && (n == 0 || sum < by->top_p * all); n++) {
        int best = 0;
        for (int k = 1; k < N_TOKENS; k++)
            best = p[k] > p[best] ? k : best;
        sum += kept[best] = p[best];
        p[best] = -1;
    }
    for (int k = 0; k < N_TOKENS; k++)
        p[k] = kept[k] / sum;
    return sum;
}

/* Of many draws, chi-squared is near the number of tokens. */
static void check_frequencies(struct writer w, pylstm_sampler by)
{
    enum { N_DRAWS = 20000 };
    double expected[N_TOKENS], chi_squared = 0;
    int counts[N_TOKENS] = {0}, n_expected = 0;
    probabilities_of(w, 5, expected);
    leave(&by, expected);
    for (int k = 0; k < N_DRAWS; k++) {
        uint32_t token;
        generate(w, &by, 5, 1, &token);
        CHECK(token < N_TOKENS);
        counts[token < N_TOKENS ? token : 0]++;
    }
    for (int k = 0; k < N_TOKENS; k++) {
        double n = expected[k] * N_DRAWS;
        CHECK(expected[k] > 0 || counts[k] == 0);
        if (n < 5)
            continue;
        chi_squared += (counts[k] - n) * (counts[k] - n) / n;
        n_expected++;
    }
    if (!(chi_squared < n_expected + 6 * sqrt(2.0 * n_expected)))
        printf("%s: chi-squared %g of %d\n", label, chi_squared, n_expected);
    CHECK(chi_squared < n_expected + 6 * sqrt(2.0 * n_expected));
}

/* Where nothing is left to chance: the most probable one after those so far. */
static void check_certain(struct writer w)
{
    enum { N = 30 };
    const uint32_t excluded[] = {0, 3, N_TOKENS - 1};
    for (int n_excluded = 0; n_excluded <= 3; n_excluded += 3) {
        pylstm_sampler samplers[] = {
            {.seed = 1, .temperature = 0, .top_p = 1},     {.seed = 2, .temperature = 1, .top_k = 1, .top_p = 1},
            {.seed = 3, .temperature = 1, .top_p = 1e-9},  {.seed = 4, .temperature = 1e-6, .top_p = 1},
            {.seed = 5, .temperature = 1e-42, .top_p = 1}, {.seed = 6, .temperature = 1e-320, .top_p = 1}};
        uint32_t expected[N], got[N], before = 7;
        void *y = new_reals(&w.model->net, N_TOKENS);
        CHECK_STATUS(pylstm_stream_set_state(w.stream, NULL), PYLSTM_OK);
        for (int s = 0; s < N; before = expected[s++]) {
            double most = -1;
            CHECK_STATUS(pylstm_stream_process(w.stream, 1, &before, y), PYLSTM_OK);
            for (uint32_t k = 0; k < N_TOKENS; k++) {
                double p = get_real(&w.model->net, y, (ptrdiff_t)k);
                if (p > most && !is_among(excluded, n_excluded, k))
                    most = p, expected[s] = k;
            }
        }
        for (int k = 0; k < 6; k++) {
            samplers[k].excluded = excluded, samplers[k].n_excluded = n_excluded;
            generate(w, &samplers[k], 7, N, got);
            if (memcmp(got, expected, sizeof got) != 0)
                printf("%s: sampler %d\n", label, k);
            CHECK(memcmp(got, expected, sizeof got) == 0);
        }
        free(y);
    }
}

/* Temperatures that are endless leave nothing but chance. */
static void check_hot(struct writer w)
{
    const uint32_t excluded[] = {0, 3, N_TOKENS - 1};
    const double temperatures[] = {1e6, 1e300, INFINITY};
    for (int k = 0; k < 3; k++) {
        for (int n_excluded = 0; n_excluded <= 3; n_excluded += 3) {
            enum { N = 4000 };
            uint32_t *tokens = allocate(N * sizeof *tokens);
            int counts[N_TOKENS] = {0}, n_left = N_TOKENS - n_excluded;
            pylstm_sampler by = {
                .seed = 9, .temperature = temperatures[k], .top_p = 1, .excluded = excluded, .n_excluded = n_excluded};
            generate(w, &by, 1, N, tokens);
            for (int s = 0; s < N; s++)
                counts[tokens[s] % N_TOKENS]++;
            bool is_even = true;
            for (uint32_t t = 0; t < N_TOKENS; t++) {
                double mean = is_among(excluded, n_excluded, t) ? 0 : (double)N / n_left;
                is_even = is_even && fabs(counts[t] - mean) <= 6 * sqrt(mean);
            }
            if (!is_even)
                printf("%s: temperature %g, %d excluded\n", label, temperatures[k], n_excluded);
            CHECK(is_even);
            free(tokens);
        }
    }
}

static void check_pieces(struct writer w)
{
    enum { N = 25 };
    uint32_t whole[N], parts[N];
    const pylstm_sampler by = {.seed = 11, .temperature = 1.3, .top_k = 20, .top_p = 0.95};
    pylstm_sampler one = by, several = by, other = by;
    generate(w, &one, 2, N, whole);
    generate(w, &several, 2, 7, parts);
    CHECK_STATUS(pylstm_stream_generate(w.stream, &several, parts[6], 1, parts + 7), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_generate(w.stream, &several, parts[7], N - 8, parts + 8), PYLSTM_OK);
    CHECK(memcmp(whole, parts, sizeof whole) == 0 && one.seed == several.seed && one.seed != by.seed);
    other.seed++;
    generate(w, &other, 2, N, parts);
    CHECK(memcmp(whole, parts, sizeof whole) != 0);
}

static void check_refused(struct writer w)
{
    const uint32_t excluded[] = {1, N_TOKENS};
    const pylstm_sampler good = {.seed = 1, .temperature = 1, .top_p = 1};
    const struct {
        double temperature, top_p;
        ptrdiff_t top_k;
        const uint32_t *excluded;
        ptrdiff_t n_excluded;
        int status;
    } bad[] = {
        {-1, 1, 0, NULL, 0, PYLSTM_ERROR_SIZE},     {NAN, 1, 0, NULL, 0, PYLSTM_ERROR_SIZE},
        {1, 0, 0, NULL, 0, PYLSTM_ERROR_SIZE},      {1, 1.5, 0, NULL, 0, PYLSTM_ERROR_SIZE},
        {1, NAN, 0, NULL, 0, PYLSTM_ERROR_SIZE},    {1, 1, -1, NULL, 0, PYLSTM_ERROR_SIZE},
        {1, 1, 0, NULL, 1, PYLSTM_ERROR_NULL},      {1, 1, 0, excluded, 2, PYLSTM_ERROR_TOKEN},
        {1, 1, 0, excluded, -1, PYLSTM_ERROR_SIZE}, {1, 1, 0, excluded, N_TOKENS, PYLSTM_ERROR_SIZE},
    };
    ptrdiff_t n_state = pylstm_net_state_size(&w.model->net);
    void *before = new_reals(&w.model->net, n_state), *after = new_reals(&w.model->net, n_state);
    uint32_t token = 99;
    CHECK_STATUS(pylstm_stream_get_state(w.stream, before), PYLSTM_OK);
    pylstm_sampler by = good;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        by = (pylstm_sampler){.seed = 1,
                              .temperature = bad[k].temperature,
                              .top_k = bad[k].top_k,
                              .top_p = bad[k].top_p,
                              .excluded = bad[k].excluded,
                              .n_excluded = bad[k].n_excluded};
        CHECK_STATUS(pylstm_stream_generate(w.stream, &by, 0, 1, &token), bad[k].status);
        CHECK(by.seed == 1);
    }
    by = good;
    CHECK_STATUS(pylstm_stream_generate(NULL, &by, 0, 1, &token), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_generate(w.stream, NULL, 0, 1, &token), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_generate(w.stream, &by, 0, 1, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_generate(w.stream, &by, 0, 0, &token), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_stream_generate(w.stream, &by, N_TOKENS, 1, &token), PYLSTM_ERROR_TOKEN);
    CHECK_STATUS(pylstm_stream_generate(w.stream, &by, UINT32_MAX, 1, &token), PYLSTM_ERROR_TOKEN);
    CHECK_STATUS(pylstm_stream_get_state(w.stream, after), PYLSTM_OK);
    CHECK(token == 99 && by.seed == 1);
    expect_reals(&w.model->net, after, before, n_state, "the state after what is refused");
    free(before);
    free(after);
}

/* Streams of several sequences, or whose outputs are no tokens. */
static void check_others(pylstm_model model)
{
    struct writer w = new_writer(&model, 0.5);
    pylstm_sampler by = {.temperature = 1, .top_p = 1};
    uint32_t token;
    size_t bytes;
    CHECK_STATUS(pylstm_stream_size(&model, 2, &bytes), PYLSTM_OK);
    pylstm_memory memory = memory_of(bytes);
    pylstm_stream *stream;
    CHECK_STATUS(pylstm_stream_init(&stream, &model, 2, w.parameters, NULL, memory), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_generate(stream, &by, 0, 1, &token), PYLSTM_ERROR_SIZE);
    free(memory.data);
    free_writer(w);
    for (int k = 0; k < 2; k++) {
        pylstm_model other = model;
        if (k == 0)
            other.n_outputs--;
        else
            other.net = without_tokens(model.net);
        w = new_writer(&other, 0.5);
        CHECK_STATUS(pylstm_stream_generate(w.stream, &by, 0, 1, &token), PYLSTM_ERROR_INPUT);
        free_writer(w);
    }
}

int main(void)
{
    static const ptrdiff_t hidden[] = {9, 5};
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++) {
        for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64 && is_tested(isa); dtype++) {
            pylstm_net net = make_net((pylstm_isa)isa, (pylstm_dtype)dtype, PYLSTM_LSTM, 4, 2, hidden, 1);
            pylstm_model model = {.n_outputs = N_TOKENS, .pooling = PYLSTM_POOL_NONE, .loss = PYLSTM_CROSS_ENTROPY};
            model.net = with_tokens(net, PYLSTM_EMBEDDING, N_TOKENS);
            const uint32_t excluded[] = {1, 36};
            struct writer w = new_writer(&model, 2);
            check_frequencies(w, (pylstm_sampler){.seed = 1, .temperature = 1, .top_p = 1});
            check_frequencies(w, (pylstm_sampler){.seed = 2, .temperature = 0.5, .top_k = 6, .top_p = 1});
            check_frequencies(
                w, (pylstm_sampler){
                       .seed = 3, .temperature = 2, .top_k = 30, .top_p = 0.8, .excluded = excluded, .n_excluded = 2});
            check_certain(w);
            check_hot(w);
            check_pieces(w);
            check_refused(w);
            check_others(model);
            free_writer(w);
        }
    }
    return REPORT();
}
