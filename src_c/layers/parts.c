#include "layers/parts.h"

#include "kernels/cell.h"
#include "support/threads.h"

#include <math.h>

/* Multiply-adds that outweigh starting a thread: about 50 microseconds of work. */
#define WORTH_A_THREAD 2e6

/* Multiply-adds of one step that outweigh that all wait for the last: about 2 microseconds of work. */
#define WORTH_WAITING 65536.0

/* A thread more has to pay for its start as well, and very few rows have a kernel of their own (walk.h). */
enum { LEAST_TEAM_STEPS = 16 };

static ptrdiff_t most_threads(ptrdiff_t n_threads)
{
    return n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
}

ptrdiff_t pylstm_worth_threads(double multiply_adds, ptrdiff_t n_threads)
{
    n_threads = most_threads(n_threads);
    while (n_threads > 1 && multiply_adds < WORTH_A_THREAD * (double)n_threads)
        n_threads--;
    return n_threads;
}

ptrdiff_t pylstm_n_members(const pylstm_net *net, const pylstm_shape *shape)
{
    if (shape->n_sequences > 1 || shape->n_steps < LEAST_TEAM_STEPS)
        return 1;
    double n_gates = (double)pylstm_cell_of(net->cell)->n_gates;
    double least = INFINITY; /* recurrent ones, of the smallest layer */
    for (ptrdiff_t l = 0; l < net->n_layers; l++)
        least = fmin(least, n_gates * (double)net->hidden_sizes[l] * (double)net->hidden_sizes[l]);
    ptrdiff_t n_members = most_threads(net->n_threads);
    while (n_members > 1 && least < WORTH_WAITING * (double)n_members)
        n_members--;
    return n_members;
}

ptrdiff_t pylstm_n_parts(const pylstm_net *net, const pylstm_shape *shape)
{
    double n_gates = (double)pylstm_cell_of(net->cell)->n_gates, multiply_adds = 0;
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at))
        multiply_adds +=
            n_gates * (double)at.hidden_size * (double)(at.input_size + at.hidden_size) * (double)shape->n_rows;
    ptrdiff_t most = net->n_threads < shape->n_sequences ? net->n_threads : shape->n_sequences;
    return pylstm_worth_threads(multiply_adds, most);
}

/* Dealt longest first, the first part has the most rows, and no other has more than n_steps less: with n_parts times
 * the first's rows, at most n_rows + (n_parts - 1) n_steps. */
pylstm_shape pylstm_part_bound(const pylstm_shape *shape, ptrdiff_t n_parts)
{
    ptrdiff_t share = shape->n_rows / n_parts;
    return (pylstm_shape){
        .n_sequences = (shape->n_sequences + n_parts - 1) / n_parts,
        .n_steps = shape->n_steps,
        .n_rows = shape->n_steps < shape->n_rows - share ? share + shape->n_steps : shape->n_rows,
    };
}

void pylstm_part_init(pylstm_batch *part_batch, const pylstm_batch *batch, ptrdiff_t part, ptrdiff_t n_parts)
{
    pylstm_shape *shape = &part_batch->shape;
    *shape = (pylstm_shape){.n_steps = batch->length[part]};
    for (ptrdiff_t b = part; b < batch->shape.n_sequences; b += n_parts) {
        part_batch->order[shape->n_sequences] = batch->order[b];
        part_batch->first[shape->n_sequences] = batch->first[b];
        part_batch->length[shape->n_sequences] = batch->length[b];
        shape->n_sequences++;
    }
    for (ptrdiff_t s = 0; s < shape->n_steps; s++) {
        part_batch->offset[s] = shape->n_rows;
        ptrdiff_t alive = batch->offset[s + 1] - batch->offset[s];
        shape->n_rows += (alive - part + n_parts - 1) / n_parts;
    }
    part_batch->offset[shape->n_steps] = shape->n_rows;
}
