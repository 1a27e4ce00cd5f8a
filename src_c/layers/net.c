/* The shape of a net, and of a model: sizes, and where each layer lies in the flat arrays of parameters and states. */
#include "kernels/cell.h"

pylstm_layer pylstm_net_layer(const pylstm_net *net, ptrdiff_t layer, ptrdiff_t direction)
{
    const struct cell *cell = pylstm_cell_of(net->cell);
    pylstm_layer at = {0};
    ptrdiff_t parameter = 0, state = 0;
    for (ptrdiff_t l = 0; l <= layer; l++) {
        ptrdiff_t n_directions = net->n_directions;
        ptrdiff_t hidden = net->hidden_sizes[l];
        ptrdiff_t input = l == 0 ? net->input_size : n_directions * net->hidden_sizes[l - 1];
        ptrdiff_t per_direction = hidden * (cell->n_gates * (input + hidden) + cell->n_vectors);
        ptrdiff_t skipped = l == layer ? direction : n_directions;
        parameter += skipped * per_direction;
        if (l < layer) {
            state += cell->n_states * n_directions * hidden;
            continue;
        }
        at.input_size = input;
        at.hidden_size = hidden;
        at.n_gates = cell->n_gates;
        at.n_biases = cell->n_vectors;
        at.n_states = cell->n_states;
        at.weight_ih = parameter;
        at.weight_hh = at.weight_ih + cell->n_gates * hidden * input;
        at.bias = at.weight_hh + cell->n_gates * hidden * hidden;
        at.h = state + direction * hidden;
        at.c = at.h + (cell->n_states - 1) * n_directions * hidden;
    }
    return at;
}

/* One past the last element of the last layer, in parameters and state. */
ptrdiff_t pylstm_net_n_parameters(const pylstm_net *net)
{
    pylstm_layer last = pylstm_net_layer(net, net->n_layers - 1, net->n_directions - 1);
    return last.bias + pylstm_cell_of(net->cell)->n_vectors * last.hidden_size;
}

ptrdiff_t pylstm_net_state_size(const pylstm_net *net)
{
    pylstm_layer last = pylstm_net_layer(net, net->n_layers - 1, net->n_directions - 1);
    return last.c + last.hidden_size;
}

ptrdiff_t pylstm_net_output_size(const pylstm_net *net)
{
    return net->n_directions * net->hidden_sizes[net->n_layers - 1];
}

ptrdiff_t pylstm_model_n_parameters(const pylstm_model *model)
{
    return pylstm_net_n_parameters(&model->net) + model->n_outputs * (pylstm_net_output_size(&model->net) + 1);
}
