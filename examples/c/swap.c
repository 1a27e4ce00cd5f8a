/* Replaces the model of a running stream by another of the same sizes, as a device does that gets a better one.
 *
 *     swap BEFORE.blob AFTER.blob
 *
 * Succeeds if the stream goes on from the state that it is in, with the new weights, to the bit. */
#include "common.h"

#include <math.h>
#include <string.h>

enum { HALF = 100 }; /* steps before the swap, and after it */

/* What set_weights can't know: that the new weights are as many as the old, in the same places, and that what goes in
 * and comes out is of the same types. */
static int same_sizes(const pylstm_blob *these, const pylstm_blob *those)
{
    const pylstm_model *a = &these->model, *b = &those->model;
    const pylstm_scalings *x = &these->scalings, *y = &those->scalings;
    if (!x->inputs.mean != !y->inputs.mean || !x->targets.mean != !y->targets.mean || a->net.dtype != b->net.dtype ||
        a->net.cell != b->net.cell || a->net.input_size != b->net.input_size || a->net.n_layers != b->net.n_layers ||
        a->n_outputs != b->n_outputs || a->loss != b->loss || a->pooling != b->pooling)
        return 0;
    for (ptrdiff_t l = 0; l < a->net.n_layers; l++)
        if (a->net.hidden_sizes[l] != b->net.hidden_sizes[l])
            return 0;
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: swap BEFORE.blob AFTER.blob\n");
        return EXIT_FAILURE;
    }
    pylstm_blob before, after;
    pylstm_memory files[] = {open_blob(argv[1], &before), open_blob(argv[2], &after)};
    if (!same_sizes(&before, &after)) {
        fprintf(stderr, "%s and %s are models of different sizes\n", argv[1], argv[2]);
        return EXIT_FAILURE;
    }
    const pylstm_net *net = &before.model.net;
    ptrdiff_t n_x = net->input_size, n_y = output_size(&before.model);
    size_t y_bytes = (size_t)(HALF * n_y) * number_size(&before, before.scalings.targets);
    size_t x_bytes = (size_t)(HALF * n_x) * number_size(&before, before.scalings.inputs);
    char *x = allocate(2 * x_bytes), *y = allocate(2 * y_bytes);
    for (ptrdiff_t k = 0; k < 2 * HALF * n_x; k++)
        set_input(&before, x, k, sin(0.1 * (double)(k * k)) > 0);
    char *second_x = x + x_bytes;

    pylstm_stream *stream;
    pylstm_memory memory = new_stream(&before, &stream);
    void *state = allocate((size_t)pylstm_net_state_size(net) * real_size(net));
    void *pool = allocate((size_t)pylstm_net_output_size(net) * real_size(net)); /* of some models part of the state */
    int64_t n_pooled;
    check(pylstm_stream_process(stream, HALF, x, y), "before the swap");
    check(pylstm_stream_get_state(stream, state), "state");
    int pools = pylstm_stream_get_pool(stream, pool, &n_pooled) == PYLSTM_OK;
    check(pylstm_stream_set_weights(stream, after.parameters, &after.scalings), "swap");
    check(pylstm_stream_process(stream, HALF, second_x, y + y_bytes), "after the swap");

    /* What each of the two makes of the second half, from the same state. */
    const pylstm_blob *const blobs[] = {&before, &after};
    int same[2];
    char *expected = allocate(y_bytes);
    for (int k = 0; k < 2; k++) {
        pylstm_stream *alone;
        pylstm_memory its_memory = new_stream(blobs[k], &alone);
        check(pylstm_stream_set_state(alone, state), "state");
        if (pools)
            check(pylstm_stream_set_pool(alone, pool, &n_pooled), "pool");
        check(pylstm_stream_process(alone, HALF, second_x, expected), "alone");
        same[k] = memcmp(expected, y + y_bytes, y_bytes) == 0;
        free(its_memory.data);
        free(files[k].data);
    }
    free(x);
    free(y);
    free(state);
    free(pool);
    free(expected);
    free(memory.data);
    printf("after the swap the outputs are %s\n", same[1] && !same[0] ? "the new model's" : "wrong");
    return same[1] && !same[0] ? EXIT_SUCCESS : EXIT_FAILURE;
}
