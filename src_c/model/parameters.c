/* What follows from what a model is. Its parameters as arrays with names: the one place that knows their order. */
#include "layers/net.h"
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
    enum { TABLE = 1, WEIGHT_IH, WEIGHT_HH, BIAS, WEIGHT_OUT, BIAS_OUT };
    static const char *const what[] = {"", "embedding", "weight_ih", "weight_hh", "bias", "weight_out", "bias_out"};
    const pylstm_net *net = &model->net;
    pylstm_layer of = at->layer;
    int part = at->part + 1;
    if (part == TABLE && !has_table(net))
        part++;
    if (part == WEIGHT_IH || at->part == BIAS)
        part = pylstm_net_next(net, &of) ? WEIGHT_IH : WEIGHT_OUT;
    if (part == WEIGHT_OUT && model->is_tied)
        part++;
    if (part > BIAS_OUT || (part > BIAS && model->n_outputs == 0))
        return 0;

    ptrdiff_t rows = of.n_gates * of.hidden_size, biases = of.n_biases * of.hidden_size;
    ptrdiff_t n_outputs = model->n_outputs, width = net->n_directions * of.hidden_size;
    ptrdiff_t own = of.bias + biases; /* pylstm_model_head walks through all layers for it */
    pylstm_head_place head = {own, own + n_outputs * width};
    if (model->is_tied)
        head = (pylstm_head_place){0, own};
    pylstm_parameter_kind of_table = model->is_tied ? PYLSTM_DECAYED : learns_table(net) ? PYLSTM_ROWS : PYLSTM_KEPT;
    const pylstm_parameter parts[] = {
        [TABLE] = {.rows = net->n_tokens, .columns = net->input_size, .kind = of_table},
        [WEIGHT_IH] = {.rows = rows, .columns = of.input_size, .offset = of.weight_ih, .kind = PYLSTM_DECAYED},
        [WEIGHT_HH] = {.rows = rows, .columns = of.hidden_size, .offset = of.weight_hh, .kind = PYLSTM_DECAYED},
        [BIAS] = {.rows = biases, .offset = of.bias, .kind = PYLSTM_PLAIN},
        [WEIGHT_OUT] = {.rows = n_outputs, .columns = width, .offset = head.weight, .kind = PYLSTM_DECAYED},
        [BIAS_OUT] = {.rows = n_outputs, .offset = head.bias, .kind = PYLSTM_PLAIN},
    };
    *at = parts[part];
    at->part = part;
    at->layer = of;
    write_name(at->name, what[part], part == TABLE || part > BIAS ? -1 : of.layer, of.direction);
    return 1;
}

int pylstm_reads_labels(pylstm_loss loss)
{
    return loss == PYLSTM_CROSS_ENTROPY;
}
