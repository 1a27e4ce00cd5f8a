/* Runs a model over the numbers of standard input, step by step, without an end in sight.
 *
 *     stream MODEL.blob < numbers
 *
 * reads input_size numbers and writes a line with the outputs, again and again. Succeeds if the input was numbers to
 * its end, and ended between two steps. */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: stream MODEL.blob < numbers\n");
        return EXIT_FAILURE;
    }
    pylstm_blob blob;
    pylstm_stream *stream;
    pylstm_memory file = open_blob(argv[1], &blob), memory = new_stream(&blob, &stream);

    const pylstm_net *net = &blob.model.net;
    ptrdiff_t n_x = net->input_size, n_y = output_size(&blob.model), k = 0;
    void *x = allocate((size_t)n_x * number_size(&blob, blob.scalings.inputs));
    size_t y_size = number_size(&blob, blob.scalings.targets);
    void *y = allocate((size_t)n_y * y_size);
    int digits = y_size == sizeof(float) ? 9 : 17; /* as many as tell any two numbers apart */
    double value;
    while (scanf("%lf", &value) == 1) {
        set_input(&blob, x, k++, value);
        if (k < n_x)
            continue;
        k = 0;
        check(pylstm_stream_process(stream, 1, x, y), "step");
        for (ptrdiff_t j = 0; j < n_y; j++)
            printf("%.*g%c", digits, get_output(&blob, y, j), j < n_y - 1 ? ' ' : '\n');
        fflush(stdout); /* somebody may be waiting for it */
    }
    free(x);
    free(y);
    free(memory.data);
    free(file.data);
    if (feof(stdin) && k == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "the input has to be numbers, %td for each step\n", n_x);
    return EXIT_FAILURE;
}
