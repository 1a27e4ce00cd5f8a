/* Nets that read tokens: sizes, where their table and what is tied to it lie, and what is refused. */
#include "pylstm.h"

#include "check.h"

#include <limits.h>
#include <stdbool.h>

/* A table of tokens comes first, and has a size of its own; what is tied to it has no other place. */
static void test_tokens(void)
{
    const ptrdiff_t sizes[] = {5, 2};
    const pylstm_net net = {.dtype = PYLSTM_FLOAT32,
                            .input_size = 2,
                            .n_layers = 2,
                            .hidden_sizes = sizes,
                            .n_directions = 1,
                            .n_threads = 1,
                            .input = PYLSTM_EMBEDDING,
                            .n_tokens = 7};
    const ptrdiff_t n_layers = 20 * (2 + 5 + 1) + 8 * (5 + 2 + 1);
    for (int input = PYLSTM_VALUES; input < PYLSTM_N_INPUTS; input++) {
        bool has_table = input >= PYLSTM_EMBEDDING;
        pylstm_model model = {.net = net, .n_outputs = 3};
        model.net.input = (pylstm_input)input;
        model.net.n_tokens = input == PYLSTM_ONE_HOT ? 2 : input == PYLSTM_VALUES ? -7 : 7; /* of values unread */
        CHECK_STATUS(pylstm_model_check(&model), PYLSTM_OK);
        ptrdiff_t n_table = has_table ? 14 : 0;
        CHECK(pylstm_net_table_size(&model.net) == n_table);
        CHECK(pylstm_net_n_parameters(&model.net) == n_table + n_layers);
        CHECK(pylstm_net_layer(&model.net, 0, 0).weight_ih == n_table);
        CHECK(pylstm_model_head(&model).weight == n_table + n_layers);
        CHECK(pylstm_model_head(&model).bias == n_table + n_layers + 3 * 2);
        pylstm_parameter at = {0};
        CHECK(pylstm_model_next(&model, &at) == 1);
        CHECK(strcmp(at.name, has_table ? "embedding" : "weight_ih_l0") == 0);
        if (has_table)
            CHECK(at.kind == (input == PYLSTM_FROZEN ? PYLSTM_KEPT : PYLSTM_ROWS) && at.rows == 7 && at.columns == 2);
        ptrdiff_t end = 0, n = 0;
        for (at = (pylstm_parameter){0}; pylstm_model_next(&model, &at); n++) {
            CHECK(at.offset == end);
            end += at.rows * (at.columns ? at.columns : 1);
        }
        CHECK(n == has_table + 6 + 2 && end == pylstm_model_n_parameters(&model));
    }
    const pylstm_model tied = {.net = net, .n_outputs = 7, .is_tied = 1};
    CHECK_STATUS(pylstm_model_check(&tied), PYLSTM_OK);
    CHECK(pylstm_model_head(&tied).weight == 0 && pylstm_model_head(&tied).bias == 14 + n_layers);
    CHECK(pylstm_model_n_parameters(&tied) == 14 + n_layers + 7);
    static const char *const names[] = {"embedding",    "weight_ih_l0", "weight_hh_l0", "bias_l0",
                                        "weight_ih_l1", "weight_hh_l1", "bias_l1",      "bias_out"};
    pylstm_parameter at = {0};
    for (int k = 0; k < 8; k++) {
        CHECK(pylstm_model_next(&tied, &at) == 1 && strcmp(at.name, names[k]) == 0);
        CHECK(k > 0 || at.kind == PYLSTM_DECAYED); /* it is the dense layer's weights */
    }
    CHECK(at.offset == 14 + n_layers && pylstm_model_next(&tied, &at) == 0);
}

static void test_bad_tokens(void)
{
    const ptrdiff_t sizes[] = {5, 2};
    const pylstm_net net = {.dtype = PYLSTM_FLOAT32,
                            .input_size = 2,
                            .n_layers = 2,
                            .hidden_sizes = sizes,
                            .n_directions = 1,
                            .n_threads = 1,
                            .input = PYLSTM_EMBEDDING,
                            .n_tokens = 7};
    const int no_inputs[] = {-1, PYLSTM_N_INPUTS, INT_MAX, INT_MIN};
    pylstm_net bad = net;
    for (int k = 0; k < 4; k++) {
        bad.input = (pylstm_input)no_inputs[k];
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_INPUT);
    }
    for (int input = PYLSTM_ONE_HOT; input < PYLSTM_N_INPUTS; input++) {
        bad = net;
        bad.input = (pylstm_input)input;
        bad.n_tokens = 0;
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_SIZE);
        bad.n_tokens = -2;
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_SIZE);
        bad.n_tokens = PTRDIFF_MAX;
        CHECK_STATUS(pylstm_net_check(&bad), input == PYLSTM_ONE_HOT ? PYLSTM_ERROR_SIZE : PYLSTM_ERROR_OVERFLOW);
        bad.n_tokens = 3, bad.input_size = input == PYLSTM_ONE_HOT ? 2 : 0;
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_SIZE);
        bad.n_tokens = bad.input_size = PTRDIFF_MAX;
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_OVERFLOW);
        bad.n_tokens = bad.input_size = INT_MAX;
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_OVERFLOW);
    }
#if PTRDIFF_MAX > INT_MAX
    bad = net, bad.n_tokens = (ptrdiff_t)INT_MAX + 1;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_OVERFLOW);
    bad.n_tokens = INT_MAX;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_OK);
#endif
    const pylstm_model tied = {.net = net, .n_outputs = 7, .is_tied = 1};
    pylstm_model untied = tied;
    untied.net.input = PYLSTM_FROZEN;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_ERROR_SIZE);
    untied.net.input = PYLSTM_VALUES;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_ERROR_SIZE);
    untied.net.input = PYLSTM_ONE_HOT, untied.net.n_tokens = untied.n_outputs = 2;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_ERROR_SIZE);
    untied = tied, untied.n_outputs = 6;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_ERROR_SIZE);
    untied = tied, untied.net.input_size = 3;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_ERROR_SIZE);
    untied = tied, untied.net.n_directions = 2;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_ERROR_SIZE);
    untied.net.input_size = 4;
    CHECK_STATUS(pylstm_model_check(&untied), PYLSTM_OK);
}

int main(void)
{
    test_tokens();
    test_bad_tokens();
    return REPORT();
}
