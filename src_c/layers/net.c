/* The shape of a net, and of a model: sizes, and where each layer lies in the flat arrays of parameters and states. */
#include "layers/net.h"
#include "kernels/cell.h"

int pylstm_net_next(const pylstm_net *net, pylstm_layer *at)
{
    const struct cell *cell = pylstm_cell_of(net->cell);
    pylstm_layer next = {.input_size = net->input_size, .weight_ih = pylstm_net_table_size(net)};
    ptrdiff_t state = 0;
    if (at->n_gates > 0) {
        next.direction = (at->direction + 1) % net->n_directions;
        next.layer = next.direction > 0 ? at->layer : at->layer + 1;
        next.input_size = next.direction > 0 ? at->input_size : net->n_directions * at->hidden_size;
        next.weight_ih = at->bias + at->n_biases * at->hidden_size;
        state = (next.direction > 0 ? at->h : at->c) + at->hidden_size;
    }
    if (next.layer == net->n_layers)
        return 0;
    next.hidden_size = net->hidden_sizes[next.layer];
    next.n_gates = cell->n_gates;
    next.n_biases = cell->n_vectors;
    next.n_states = cell->n_states;
    next.weight_hh = next.weight_ih + next.n_gates * next.hidden_size * next.input_size;
    next.bias = next.weight_hh + next.n_gates * next.hidden_size * next.hidden_size;
    next.h = state;
    next.c = next.h + (next.n_states - 1) * net->n_directions * next.hidden_size;
    *at = next;
    return 1;
}

pylstm_layer pylstm_net_layer(const pylstm_net *net, ptrdiff_t layer, ptrdiff_t direction)
{
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at) && (at.layer < layer || at.direction < direction))
        ;
    return at;
}

ptrdiff_t pylstm_net_table_size(const pylstm_net *net)
{
    return has_table(net) ? net->n_tokens * net->input_size : 0;
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

pylstm_head_place pylstm_model_head(const pylstm_model *model)
{
    ptrdiff_t own = pylstm_net_n_parameters(&model->net);
    if (model->is_tied)
        return (pylstm_head_place){0, own};
    return (pylstm_head_place){own, own + model->n_outputs * pylstm_net_output_size(&model->net)};
}

ptrdiff_t pylstm_model_n_parameters(const pylstm_model *model)
{
    return pylstm_model_head(model).bias + model->n_outputs;
}
