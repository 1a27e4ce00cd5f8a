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

int pylstm_model_parameter(const pylstm_model *model, ptrdiff_t index, pylstm_parameter *out)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t n_of_net = 3 * net->n_layers * net->n_directions, width = pylstm_net_output_size(net);
    if (index < 0 || index >= n_of_net + (model->n_outputs > 0 ? 2 : 0))
        return PYLSTM_ERROR_INDEX;
    if (index < n_of_net) {
        ptrdiff_t place = index / 3, layer = place / net->n_directions, direction = place % net->n_directions;
        pylstm_layer at = pylstm_net_layer(net, layer, direction);
        ptrdiff_t rows = at.n_gates * at.hidden_size;
        const pylstm_parameter of_layer[] = {
            {.rows = rows, .columns = at.input_size, .offset = at.weight_ih, .kind = PYLSTM_DECAYED},
            {.rows = rows, .columns = at.hidden_size, .offset = at.weight_hh, .kind = PYLSTM_DECAYED},
            {.rows = at.n_biases * at.hidden_size, .offset = at.bias, .kind = PYLSTM_PLAIN},
        };
        static const char *const what[] = {"weight_ih", "weight_hh", "bias"};
        *out = of_layer[index % 3];
        write_name(out->name, what[index % 3], layer, direction);
    } else if (index == n_of_net) {
        ptrdiff_t offset = pylstm_net_n_parameters(net);
        *out = (pylstm_parameter){.rows = model->n_outputs, .columns = width, .offset = offset, .kind = PYLSTM_DECAYED};
        write_name(out->name, "weight_out", -1, 0);
    } else {
        ptrdiff_t offset = pylstm_net_n_parameters(net) + model->n_outputs * width;
        *out = (pylstm_parameter){.rows = model->n_outputs, .offset = offset, .kind = PYLSTM_PLAIN};
        write_name(out->name, "bias_out", -1, 0);
    }
    return PYLSTM_OK;
}

int pylstm_reads_labels(pylstm_loss loss)
{
    return loss == PYLSTM_CROSS_ENTROPY;
}
