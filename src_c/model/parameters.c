/* What follows from what a model is. Its parameters as arrays with names: the one place that knows their order. */
#include "pylstm.h"

#include <string.h>

/* Writes what, and the number and direction of the layer behind it, if it is of one (layer >= 0): "bias_l0_reverse". */
static void write_name(char *name, const char *what, ptrdiff_t layer, ptrdiff_t direction)
{
    char digits[20];
    size_t n_digits = 0;
    strcpy(name, what);
    if (layer < 0)
        return;
    do
        digits[n_digits++] = (char)('0' + layer % 10);
    while (layer /= 10);
    name += strlen(name);
    *name++ = '_';
    *name++ = 'l';
    while (n_digits)
        *name++ = digits[--n_digits];
    strcpy(name, direction ? "_reverse" : "");
}

int pylstm_model_next(const pylstm_model *model, pylstm_parameter *at)
{
    enum { WEIGHT_IH = 1, WEIGHT_HH, BIAS, WEIGHT_OUT, BIAS_OUT };
    static const char *const what[] = {"", "weight_ih", "weight_hh", "bias", "weight_out", "bias_out"};
    pylstm_layer of = at->layer;
    int part = at->part + 1;
    if (at->part == 0 || at->part == BIAS)
        part = pylstm_net_next(&model->net, &of) ? WEIGHT_IH : WEIGHT_OUT;
    if (part > BIAS_OUT || (part > BIAS && model->n_outputs == 0))
        return 0;

    ptrdiff_t rows = of.n_gates * of.hidden_size, biases = of.n_biases * of.hidden_size;
    ptrdiff_t n_outputs = model->n_outputs, width = model->net.n_directions * of.hidden_size, head = of.bias + biases;
    const pylstm_parameter parts[] = {
        [WEIGHT_IH] = {.rows = rows, .columns = of.input_size, .offset = of.weight_ih, .kind = PYLSTM_DECAYED},
        [WEIGHT_HH] = {.rows = rows, .columns = of.hidden_size, .offset = of.weight_hh, .kind = PYLSTM_DECAYED},
        [BIAS] = {.rows = biases, .offset = of.bias, .kind = PYLSTM_PLAIN},
        [WEIGHT_OUT] = {.rows = n_outputs, .columns = width, .offset = head, .kind = PYLSTM_DECAYED},
        [BIAS_OUT] = {.rows = n_outputs, .offset = head + n_outputs * width, .kind = PYLSTM_PLAIN},
    };
    *at = parts[part];
    at->part = part;
    at->layer = of;
    write_name(at->name, what[part], part > BIAS ? -1 : of.layer, of.direction);
    return 1;
}

int pylstm_reads_labels(pylstm_loss loss)
{
    return loss == PYLSTM_CROSS_ENTROPY;
}
