/* pylstm: forward pass and back-propagation through time of the LSTM, the GRU and the plain RNN in plain C11.
 *
 * Nothing here allocates, prints, exits or keeps state between calls. The caller asks how much memory a call
 * needs (`*_size`), hands it in, and gets an error code back. All arrays are row-major; shapes stand in brackets,
 * outermost first:
 *
 *   B  sequences in the batch      D  directions (1 or 2)
 *   N  steps of all sequences      I  features per step
 *   T  steps of the longest one    H  hidden size of a layer
 *   V  tokens that there are       E  width of their embedding
 *
 * `void *` arrays hold elements of the net's dtype. Arrays passed to one call must not overlap unless said so.
 *
 * The LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), gates stacked i, f, g, o:
 *
 *   z = W x_t + R h_{t-1} + b        i, f, o = sigmoid(z_i, z_f, z_o)        g = tanh(z_g)
 *   c_t = f * c_{t-1} + i * g        h_t = o * tanh(c_t)
 *
 * The GRU (Cho et al. 2014, with the reset gate after the product, as in cuDNN), gates stacked r, z, n; the bias has a
 * fourth part, b_hn:
 *
 *   r, z = sigmoid(W x_t + R h_{t-1} + b)_{r, z}
 *   n = tanh((W x_t + b)_n + r * ((R h_{t-1})_n + b_hn))        h_t = n + z * (h_{t-1} - n)
 *
 * The plain RNN (Elman 1990): h_t = tanh(W x_t + R h_{t-1} + b), or max(0, ...) instead of tanh.
 */
#ifndef PYLSTM_H
#define PYLSTM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ errors */

typedef enum pylstm_status {
    PYLSTM_OK = 0,
    PYLSTM_ERROR_NULL,      /* a required pointer is NULL */
    PYLSTM_ERROR_DTYPE,     /* a dtype that is not one of pylstm_dtype */
    PYLSTM_ERROR_SIZE,      /* a size that is zero or negative where it has to be positive */
    PYLSTM_ERROR_OVERFLOW,  /* a size that does not fit in memory, in BLAS's 32-bit integers or in a blob */
    PYLSTM_ERROR_LENGTH,    /* a sequence without steps */
    PYLSTM_ERROR_DROPOUT,   /* a dropout probability outside [0, 1) */
    PYLSTM_ERROR_WORKSPACE, /* memory handed in is smaller than the size asked for */
    PYLSTM_ERROR_LABEL,     /* a label outside [0, n_outputs) */
    PYLSTM_ERROR_INDEX,     /* a sequence index outside the data set, or a parameter's */
    PYLSTM_ERROR_POOLING,   /* a pooling that is not one of pylstm_pooling; a pool of a stream that has none */
    PYLSTM_ERROR_LOSS,      /* a loss that is not one of pylstm_loss */
    PYLSTM_ERROR_SOLVER,    /* a solver that is not one of pylstm_solver_kind */
    PYLSTM_ERROR_ISA,       /* an instruction set that this build or this processor lacks */
    PYLSTM_ERROR_DIRECTION, /* two directions where the steps to come are not known */
    PYLSTM_ERROR_BLOB,      /* data that are no blob, or a damaged one */
    PYLSTM_ERROR_VERSION,   /* a blob of another format version */
    PYLSTM_ERROR_ALIGNMENT, /* a blob that does not start at a multiple of 8 bytes */
    PYLSTM_ERROR_ENDIAN,    /* a blob on a big-endian machine */
    PYLSTM_ERROR_CELL,      /* a cell that is not one of pylstm_cell */
    PYLSTM_ERROR_MISSING,   /* a kind that is not one of pylstm_missing_kind, or not that of the stream */
    PYLSTM_ERROR_INPUT,     /* an input that is not one of pylstm_input; scaled tokens; a gradient by tokens */
    PYLSTM_ERROR_TOKEN,     /* a token outside [0, n_tokens), or of a size that is not 1, 2 or 4 bytes */
    PYLSTM_N_STATUS
} pylstm_status;

/* One English sentence without a full stop for any status; never NULL. */
const char *pylstm_strerror(int status);

/* -------------------------------------------------------------------- BLAS */

/* Fortran interface, column-major; SciPy's cython_blas and any libblas have these types. */
typedef void pylstm_sgemm(char *transa, char *transb, int *m, int *n, int *k, float *alpha, float *a, int *lda,
                          float *b, int *ldb, float *beta, float *c, int *ldc);
typedef void pylstm_dgemm(char *transa, char *transb, int *m, int *n, int *k, double *alpha, double *a, int *lda,
                          double *b, int *ldb, double *beta, double *c, int *ldc);

typedef struct pylstm_blas {
    pylstm_sgemm *sgemm;
    pylstm_dgemm *dgemm;
    /* Products of up to so many multiply-adds stay on the calling thread: 2^18 of OpenBLAS, which has no setter among
     * its Fortran functions; PTRDIFF_MAX where it has but one thread. 0: it is never worth a call. */
    ptrdiff_t one_thread_product;
} pylstm_blas;

/* Plain C loops, for programs without a BLAS: small, correct, slow. */
extern const pylstm_blas pylstm_blas_reference;

/* --------------------------------------------------------------------- net */

typedef enum pylstm_dtype { PYLSTM_FLOAT32 = 0, PYLSTM_FLOAT64 = 1 } pylstm_dtype;

/* Kernels of the same source for several instruction sets. The results of one are the same bits on every machine. */
typedef enum pylstm_isa {
    PYLSTM_ISA_BEST = 0, /* the widest that this processor has */
    PYLSTM_ISA_SCALAR,   /* no vectors; the only one for compilers without GNU C's vector extensions */
    PYLSTM_ISA_BASELINE, /* 128-bit vectors that every x86-64 has */
    PYLSTM_ISA_AVX2,     /* with FMA */
    PYLSTM_ISA_AVX512,   /* F, VL and DQ */
    PYLSTM_ISA_NEON,     /* aarch64 */
    PYLSTM_N_ISA
} pylstm_isa;

/* "scalar", "baseline", "avx2", "avx512", "neon"; "best" for 0; NULL for any other number. */
const char *pylstm_isa_name(int isa);
/* Whether this build has kernels for it, and this processor runs them. */
int pylstm_isa_available(int isa);
/* What PYLSTM_ISA_BEST stands for here. */
pylstm_isa pylstm_isa_best(void);

typedef enum pylstm_cell {
    PYLSTM_LSTM = 0,
    PYLSTM_GRU = 1,
    PYLSTM_RNN_TANH = 2,
    PYLSTM_RNN_RELU = 3,
    PYLSTM_N_CELLS
} pylstm_cell;

/* What goes in at each step: I values, or one token, a number from 0 to n_tokens - 1. */
typedef enum pylstm_input {
    PYLSTM_VALUES = 0,
    PYLSTM_ONE_HOT = 1,   /* a token stands for I = n_tokens values, 1 at its place and else 0: a column of weight_ih is
                             all that is read. The outputs are the bits of those values */
    PYLSTM_EMBEDDING = 2, /* a token stands for its row, I values, of a table [n_tokens][I], which is learnt */
    PYLSTM_FROZEN = 3,    /* the same with a table that stays what it is */
    PYLSTM_N_INPUTS
} pylstm_input;

/* The shape of a stack of layers. Layer l reads I = input_size features (l = 0) or the D * H outputs of the
 * layer below. The net holds no weights: they are one flat array of pylstm_net_n_parameters elements: the table of
 * tokens [n_tokens][I], if there is one; then layer by layer, direction by direction, weight_ih [GH][I], weight_hh
 * [GH][H], bias [VH]; G = V = 4 for an LSTM, 3 and 4 for a GRU, 1 for an RNN. */
typedef struct pylstm_net {
    pylstm_dtype dtype;
    ptrdiff_t input_size;
    ptrdiff_t n_layers;
    const ptrdiff_t *hidden_sizes; /* [n_layers], kept by the caller */
    ptrdiff_t n_directions;        /* 1 forward; 2 forward and reverse, outputs side by side */
    double dropout;                /* probability that an output of a layer (the last too) is zeroed in training */
    pylstm_isa isa;
    ptrdiff_t n_threads; /* at most so many; each takes its share of the sequences */
    pylstm_cell cell;    /* of all layers */
    /* Nonzero: the first step reads the packed weights from the last to the first; every step turns round. No bit of a
     * result depends on it. Who makes many calls of a step each does so with 0 and 1 in turn: of weights that do not
     * fit into a cache, a call then finds there what the one before read last. */
    int last_first;
    pylstm_input input;
    ptrdiff_t n_tokens; /* where tokens go in: I of one-hot ones; unread of values */
} pylstm_net;

/* Where one direction of one layer lies in the flat arrays, counted in elements. */
typedef struct pylstm_layer {
    ptrdiff_t layer, direction;
    ptrdiff_t input_size, hidden_size;
    ptrdiff_t weight_ih, weight_hh, bias; /* in the parameters, and in their gradients */
    ptrdiff_t h, c;              /* in a state, in units of one sequence: multiply by B; c where there is one */
    ptrdiff_t n_gates, n_biases; /* G and V: rows of the weights, and elements of the bias, per unit */
    ptrdiff_t n_states;          /* 2: h and c; 1: h */
} pylstm_layer;

/* Checks every field, and that all sizes fit. The other functions take a net that has passed. */
int pylstm_net_check(const pylstm_net *net);
ptrdiff_t pylstm_net_n_parameters(const pylstm_net *net);
/* Of which so many are the table of tokens, the first ones: 0 where there is none. */
ptrdiff_t pylstm_net_table_size(const pylstm_net *net);
/* Elements of a state per sequence. A state is, layer by layer, h [D][B][H] and then, of an LSTM, c [D][B][H]. */
ptrdiff_t pylstm_net_state_size(const pylstm_net *net);
/* Width D * H of the last layer's output. */
ptrdiff_t pylstm_net_output_size(const pylstm_net *net);
/* Goes on to the next direction, or the next layer: from zeros to the first, until it returns 0 for that there are no
 * more. pylstm_net_layer walks that way: for one layer of many, not for each. */
int pylstm_net_next(const pylstm_net *net, pylstm_layer *at);
pylstm_layer pylstm_net_layer(const pylstm_net *net, ptrdiff_t layer, ptrdiff_t direction);

/* ------------------------------------------------------------------- batch */

/* How many sequences and steps: all that the size of a workspace depends on. */
typedef struct pylstm_shape {
    ptrdiff_t n_sequences; /* B */
    ptrdiff_t n_steps;     /* T, of the longest */
    ptrdiff_t n_rows;      /* N, of all together */
} pylstm_shape;

/* Dense and ragged batches in one layout. The caller's arrays hold the sequences one after the other, step by step
 * (a dense batch-first array is that, with equal lengths). Sorted by length, longest first, the sequences alive at
 * step s are the first alive(s) = offset[s + 1] - offset[s] of the order, so every row of work is real:
 *
 *   caller's rows, batch first        time-major rows of the tape (numbers: caller's rows)
 *   seq 0: 0 1                        step 0: 2 5 0     offset 0
 *   seq 1: 2 3 4           order      step 1: 3 6 1     offset 3
 *   seq 2: 5 6             1 2 0      step 2: 4         offset 6
 */
typedef struct pylstm_batch {
    pylstm_shape shape;
    ptrdiff_t *order;  /* [B] the caller's index of the b-th longest sequence; ties keep the caller's order */
    ptrdiff_t *first;  /* [B] row of its first step in the caller's arrays */
    ptrdiff_t *length; /* [B] its steps, descending */
    ptrdiff_t *offset; /* [T + 1] first time-major row of each step; offset[T] = N */
} pylstm_batch;

/* Reads the shape of a batch off the lengths [n_sequences] of its sequences. */
int pylstm_shape_init(pylstm_shape *shape, ptrdiff_t n_sequences, const ptrdiff_t *lengths);
int pylstm_batch_size(const pylstm_shape *shape, size_t *bytes);
/* Lays the batch out in `memory`, which it goes on using. */
int pylstm_batch_init(pylstm_batch *batch, ptrdiff_t n_sequences, const ptrdiff_t *lengths, void *memory, size_t bytes);

/* ------------------------------------------------------- forward, backward */

/* Memory that a training forward fills for backward, and scratch of each call. The sizes grow with every field of the
 * shape, so memory for an upper bound serves any smaller batch. */
int pylstm_tape_size(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes);
int pylstm_forward_size(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes);
int pylstm_backward_size(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes);

/* Memory handed in: any alignment. */
typedef struct pylstm_memory {
    void *data;
    size_t bytes;
} pylstm_memory;

/* Weights in the order in which a forward reads them. It packs them itself where it is given none; those packed once
 * save that for as long as the parameters stay what they are. */
int pylstm_packed_size(const pylstm_net *net, size_t *bytes);
int pylstm_pack(const pylstm_net *net, const void *parameters, pylstm_memory packed);

/* A pass over a batch, forward: what goes in, what comes out. */
typedef struct pylstm_forward_pass {
    const pylstm_batch *batch;
    const void *parameters; /* [n_parameters] */
    pylstm_memory packed;   /* what pylstm_pack made of them, or NULL data */
    const void *x;          /* [N][I]; or tokens [N], unsigned integers of */
    int token_size;         /* 1, 2 or 4 bytes */
    const void *state_in;   /* a state, or NULL: zeros                 may be state_out */
    const void *held;       /* of pylstm_trace only; see there */
    void *y;                /* [N][D * H_last], out; of pylstm_predict outputs [E][n_outputs] */
    void *state_out;        /* out, or NULL: a state after each sequence's own last step (in the reverse direction, its
                               first) */
    uint64_t dropout_seed;  /* dropout is drawn from it: a function of seed, layer, caller's row and unit alone */
    pylstm_memory tape;     /* NULL data: inference, no dropout. Else training: filled for backward. The final state is
                               the undropped one */
    pylstm_memory workspace;
} pylstm_forward_pass;

/* Runs the net over a batch. */
int pylstm_forward(const pylstm_net *net, const pylstm_forward_pass *pass);

/* And back: the tape of the forward pass is only read. */
typedef struct pylstm_backward_pass {
    const pylstm_batch *batch;
    const void *parameters; /* [n_parameters] */
    const void *dy;         /* [N][D * H_last] dL/dy */
    const void *dstate_out; /* a state: dL/dstate_out, or NULL: zeros */
    const void *x;          /* the tokens of the forward pass, where they have a table; else unread */
    int token_size;
    void *dparameters;     /* [n_parameters], out, overwritten; of a table that is frozen zeros */
    void *dx;              /* [N][I], out, or NULL; tokens have none */
    void *dstate_in;       /* a state, out, or NULL                   may be dstate_out */
    uint64_t dropout_seed; /* as in the forward pass */
    pylstm_memory tape, workspace;
} pylstm_backward_pass;

/* Back-propagates through the training forward that filled the tape. */
int pylstm_backward(const pylstm_net *net, const pylstm_backward_pass *pass);

/* Runs the net as pylstm_forward does in inference, to the same bits, and leaves what happened on the tape, which has
 * to be there. It is none for backward, and nothing is dropped.
 *   packed  not NULL if gates are held
 *   held    what gates are held at, in place of what they would be: for each layer, for each of its directions, values
 *           [n][N][H] as pylstm_tape_read has them, of the gates only, within [-1, 1]; NaN leaves a gate as it is. Or
 *           NULL: none
 */
int pylstm_trace(const pylstm_net *net, const pylstm_forward_pass *pass);

/* What happened in one direction of one layer: values [n][N][H], out, are the gates after their activation, c_t if
 * there is one, and h_t (undropped) of all steps, in the caller's rows, as those of x.
 * n = 6, i, f, g, o, c, h, for an LSTM; 4, r, z, n, h, for a GRU; 1, h, for an RNN. */
int pylstm_tape_read(const pylstm_net *net, const pylstm_batch *batch, ptrdiff_t layer, ptrdiff_t direction,
                     pylstm_memory tape, void *values);

/* ------------------------------------------------------------------- model */

/* What the dense layer reads. "last" takes each direction's own last output. Without pooling it reads every step's. */
typedef enum pylstm_pooling {
    PYLSTM_POOL_LAST = 0,
    PYLSTM_POOL_MEAN = 1,
    PYLSTM_POOL_MAX = 2,
    PYLSTM_POOL_NONE = 3
} pylstm_pooling;

/* How outputs become predictions, and what is wrong with them: of a row, the mean over its outputs. r = output -
 * target; where a target is NaN there is none, and nothing is wrong.
 */
typedef enum pylstm_loss {
    PYLSTM_CROSS_ENTROPY = 0,  /* softmax; -log p of the label */
    PYLSTM_SQUARED_ERROR = 1,  /* r^2 / 2 */
    PYLSTM_ABSOLUTE_ERROR = 2, /* |r| */
    PYLSTM_HUBER = 3,          /* r^2 / 2 up to |r| = loss_parameter, then straight on */
    PYLSTM_QUANTILE = 4,       /* loss_parameter |r| where the output is too small, else (1 - loss_parameter) |r| */
    PYLSTM_SIGMOID = 5,        /* 1 / (1 + e^-output); each by itself says yes or no, targets are 1 or 0 */
    PYLSTM_CALLER = 6,         /* the caller has another */
    PYLSTM_N_LOSSES
} pylstm_loss;

/* Whether it reads a label for each row, from 0 on; the others read a target for each output. */
int pylstm_reads_labels(pylstm_loss loss);

/* A net with a dense layer on top. Its parameters are the net's, then weight_out [n_outputs][D * H], bias_out
 * [n_outputs]. It has one output per sequence or, without pooling, per step: E outputs, B or N, in the caller's order.
 */
typedef struct pylstm_model {
    pylstm_net net;
    ptrdiff_t n_outputs;
    pylstm_pooling pooling;
    pylstm_loss loss;
    double loss_parameter; /* of PYLSTM_HUBER and PYLSTM_QUANTILE */
    int is_tied;           /* nonzero: weight_out is the table of tokens [n_tokens][I] (Press & Wolf 2017), and has no
                              place of its own: n_outputs = n_tokens, D * H = I, and the table is learnt */
} pylstm_model;

/* Where the dense layer lies among the parameters. */
typedef struct pylstm_head_place {
    ptrdiff_t weight, bias;
} pylstm_head_place;

pylstm_head_place pylstm_model_head(const pylstm_model *model);

int pylstm_model_check(const pylstm_model *model);
ptrdiff_t pylstm_model_n_parameters(const pylstm_model *model);

/* What training does to a parameter. */
typedef enum pylstm_parameter_kind {
    PYLSTM_DECAYED = 0, /* weights: the L2 penalty is on them */
    PYLSTM_PLAIN = 1,   /* biases: it is not */
    PYLSTM_ROWS = 2,    /* a table of tokens, as biases; and only rows whose gradient is not zero are changed, as are
                           what the solver remembers of them */
    PYLSTM_KEPT = 3     /* a frozen table: nothing */
} pylstm_parameter_kind;

/* One array of the parameters. */
typedef struct pylstm_parameter {
    char name[48];     /* "embedding"; "weight_ih_l0", of the second direction "weight_ih_l0_reverse"; "weight_out" */
    ptrdiff_t rows;    /* elements, where there are no columns */
    ptrdiff_t columns; /* 0: a vector */
    ptrdiff_t offset;  /* of its first element, in the flat array of all */
    pylstm_parameter_kind kind;
    int part;           /* of its layer the how-manieth, from 1 on */
    pylstm_layer layer; /* whose it is; of the dense layer's the last */
} pylstm_parameter;

/* Goes on to the next parameter, in the order of the flat array, of a model that has passed, or with n_outputs = 0 of
 * its net alone: from zeros to the first, until it returns 0 for that there are no more. */
int pylstm_model_next(const pylstm_model *model, pylstm_parameter *at);

int pylstm_predict_size(const pylstm_model *model, const pylstm_shape *shape, size_t *bytes);
/* y: outputs [E][n_outputs], probabilities or values. The tape is not read. */
int pylstm_predict(const pylstm_model *model, const pylstm_forward_pass *pass);

/* outputs [E][n_outputs], out: the same from the net's outputs y [N][D * H] alone, those of pylstm_trace for example. A
 * workspace for pylstm_predict will do. */
int pylstm_read_out(const pylstm_model *model, const pylstm_batch *batch, const void *parameters, const void *y,
                    void *outputs, pylstm_memory workspace);

/* ---------------------------------------------- the dense layer by itself */

/* The dense layer on top of a model, on features [n_rows][width] from anywhere. */
typedef struct pylstm_head {
    pylstm_dtype dtype;
    pylstm_isa isa;
    ptrdiff_t n_threads; /* at most so many */
    ptrdiff_t width, n_outputs;
    pylstm_loss loss;
    double loss_parameter;
} pylstm_head;

typedef struct pylstm_head_batch {
    ptrdiff_t n_rows;
    const void *features;      /* [n_rows][width] */
    const void *weight, *bias; /* [n_outputs][width], [n_outputs] */
    const ptrdiff_t *labels;   /* [n_rows], in [0, n_outputs); or, as the loss needs, */
    const void *targets;       /* [n_rows][n_outputs] */
    const double *weights;     /* [n_rows], not negative; or NULL: all 1 */
    void *dfeatures;           /* out, as the features */
    void *dweight, *dbias;     /* out */
} pylstm_head_batch;

int pylstm_head_size(const pylstm_head *head, ptrdiff_t n_rows, size_t *bytes);
/* The weighted mean of the rows' losses, and its gradients. */
int pylstm_head_gradient(const pylstm_head *head, const pylstm_blas *blas, const pylstm_head_batch *batch, double *loss,
                         pylstm_memory workspace);

/* ---------------------------------------------------------------- training */

/* A mini-batch, or a shard of one: sequences with targets. There is an output for each of them or, without pooling, for
 * each of their steps. */
typedef struct pylstm_minibatch {
    ptrdiff_t n_sequences;      /* B */
    const void *const *x;       /* [B] the first step of each; the next ones lie x_stride elements apart */
    ptrdiff_t x_stride;         /* I or more; of tokens 1 or more */
    int token_size;             /* as in pylstm_forward_pass */
    const ptrdiff_t *length;    /* [B] steps of each */
    const ptrdiff_t *row;       /* [B] where its steps begin among the rows of the whole mini-batch, by which dropout is
                                   drawn; or NULL: this is the whole */
    const void *const *targets; /* [B] those of its outputs: ptrdiff_t labels in [0, n_outputs), or rows of n_outputs,
                                   as the loss has it; unread by a loss of the caller's */
    const double *const *weights; /* [B] those of its outputs, not negative; or NULL: all 1 */
    double total_weight;          /* of the whole mini-batch: its loss is the mean by it */
    uint64_t dropout_seed;
    const void *state_in;   /* a state, or NULL: zeros */
    void *state_out;        /* out, or NULL                            may be state_in */
    const void *dstate_out; /* gradient of the loss by it, or NULL: zeros */
    void *dstate_in;        /* out: by the state before, or NULL       may be dstate_out */
} pylstm_minibatch;

/* The gradient of a model's parameters, in the caller's memory, which has to stay where it is. Mini-batches, shards of
 * one, or segments of long sequences are added as often as wanted; what is done with the sum is up to the caller. One
 * gradient is for one thread at a time; each call shares its work out to n_threads of its own. */
typedef struct pylstm_gradient pylstm_gradient;

/* For mini-batches within `bound`. */
int pylstm_gradient_size(const pylstm_model *model, const pylstm_shape *bound, size_t *bytes);
/*   parameters  [n_parameters], read whenever something is added; of the calls below only pylstm_train_step writes them
 *   gradients   [n_parameters], in use from begin to finish, then the sum; pylstm_train_step leaves the table of tokens
 *               in it alone, where that is of the kinds PYLSTM_ROWS or PYLSTM_KEPT
 * Both stay where they are, as does what `model` points to. */
int pylstm_gradient_init(pylstm_gradient **gradient, const pylstm_model *model, const pylstm_blas *blas,
                         const pylstm_shape *bound, void *parameters, void *gradients, pylstm_memory memory);
/* Starts from zero; the parameters are now what they are until it is finished. */
int pylstm_gradient_begin(pylstm_gradient *gradient);
/* Adds a mini-batch's gradient and loss. Where its total weight is zero it only carries on the state. A bad label, size
 * or length is found before anything is changed. */
int pylstm_gradient_add(pylstm_gradient *gradient, const pylstm_minibatch *batch);
/* The same in two halves, for a loss that only the caller knows: the outputs [E][n_outputs] of the dense layer, out;
 * and the way back from the gradient of the loss by them, of the same mini-batch with nothing called between. */
int pylstm_gradient_outputs(pylstm_gradient *gradient, const pylstm_minibatch *batch, void *outputs);
int pylstm_gradient_backward(pylstm_gradient *gradient, const pylstm_minibatch *batch, const void *doutputs);
/* loss, out: the sum over what was added of weight / total_weight times loss. */
int pylstm_gradient_finish(pylstm_gradient *gradient, double *loss);

typedef enum pylstm_solver_kind { PYLSTM_ADAM = 0, PYLSTM_SGD = 1, PYLSTM_RMSPROP = 2 } pylstm_solver_kind;

typedef struct pylstm_solver {
    pylstm_solver_kind kind;
    double learning_rate;
    double beta_1, beta_2, epsilon; /* adam; the last two rmsprop too */
    double momentum;                /* sgd */
    int nesterov;                   /* sgd */
    double alpha; /* L2: adds alpha / 2 * sum(weights^2) / total weight of the mini-batch to the loss; biases are
                     left alone */
    double max_grad_norm;               /* the gradient's global norm is scaled down to this; 0: never */
    int64_t t;                          /* steps taken */
    void *first_moment, *second_moment; /* [n_parameters], zero at t = 0; sgd reads the first only, and that with
                                           momentum only, rmsprop the second */
} pylstm_solver;

/* Adds the gradient of the L2 penalty to gradients, clips them, and takes a step on the parameters.
 *   total_weight  that of the mini-batch
 *   loss          in: of these gradients; out: with the L2 penalty of the parameters before the step. Where it or the
 *                 gradient is not finite, or what is left of the gradient after clipping too large to be squared, for
 *                 Adam and RMSprop, nothing is updated, and it is not finite */
int pylstm_update(const pylstm_model *model, pylstm_solver *solver, void *parameters, void *gradients,
                  double total_weight, double *loss);

/* begin, add, finish and update of one mini-batch, by one team of threads. Where its total weight is zero nothing is
 * updated, and the loss is 0. */
int pylstm_train_step(pylstm_gradient *gradient, const pylstm_minibatch *batch, pylstm_solver *solver, double *loss);

/* What a net's numbers are in the caller's units. Inputs: it reads (x - mean) / scale, made in double and then cast.
 * Targets: its predictions stand for prediction * scale + mean, made in double. */
typedef struct pylstm_scaling {
    const double *mean, *scale; /* or both NULL: they are the caller's */
} pylstm_scaling;

/* What stands for inputs that are missing, NaN, before they are scaled. Of the F features of a step the net then reads
 * I = F + 2 n_columns inputs: the features; of each column, which is one of them, whether it is missing, 1 or 0; and of
 * each for how many steps it has been. */
typedef enum pylstm_missing_kind {
    PYLSTM_MISSING_NONE = 0,      /* no input is to be missing; then nothing below is read */
    PYLSTM_MISSING_INDICATOR = 1, /* the mean stands for it, and the net is told of the columns */
    PYLSTM_MISSING_HOLD = 2       /* the last value there was, or before it the mean; there are no columns */
} pylstm_missing_kind;

typedef struct pylstm_missing {
    pylstm_missing_kind kind;
    const double *mean; /* [F] */
    ptrdiff_t n_columns;
    const int64_t *columns; /* [n_columns], each from 0 to F - 1 */
} pylstm_missing;

typedef struct pylstm_scalings {
    pylstm_scaling inputs;  /* [I]; there is one where inputs may be missing */
    pylstm_scaling targets; /* [n_outputs]; of models with a dense layer only */
    pylstm_missing missing;
} pylstm_scalings;

/* ------------------------------------------------------------------ stream */

/* A model that runs on, a step or a block of steps at a time: its layers' weights packed once, its state inside, all in
 * the caller's memory, which has to stay where it is. A table of tokens and the dense layer's weights are read where
 * they lie among the parameters. No call allocates, locks or waits. Different streams may run on different threads at
 * once; one stream, on one thread at a time. Its outputs are the bits of pylstm_forward, or pylstm_predict, over all
 * steps at once: after each step, over those so far. */
typedef struct pylstm_stream pylstm_stream;

/* For B = batch_size independent sequences. With n_outputs = 0 the model has no dense layer: what comes out is the
 * last layer's h, and pooling and loss are not read. The net has one direction. With pooling mean or max the dense
 * layer reads the mean, or the maximum, of the steps so far, which belongs to the state. */
int pylstm_stream_size(const pylstm_model *model, ptrdiff_t batch_size, size_t *bytes);
/* Sets the state to zero, the weights to:
 *   parameters  [n_parameters], as for pylstm_predict; they have to stay as they are until others are set
 *   scalings    what the stream is to do itself, or NULL: nothing; it is copied */
int pylstm_stream_init(pylstm_stream **stream, const pylstm_model *model, ptrdiff_t batch_size, const void *parameters,
                       const pylstm_scalings *scalings, pylstm_memory memory);
/* Other weights for the same sizes, and scalings or none, from the next step on; the state stays. The parameters before
 * are not read any more. What may be missing must be what it was: else PYLSTM_ERROR_MISSING. */
int pylstm_stream_set_weights(pylstm_stream *stream, const void *parameters, const pylstm_scalings *scalings);
/* state: as in pylstm_forward; NULL is zeros. What is pooled is then of no steps, and no input has been there. */
int pylstm_stream_set_state(pylstm_stream *stream, const void *state);
int pylstm_stream_get_state(const pylstm_stream *stream, void *state);
/* What is pooled so far, of a stream with pooling mean or max; others have PYLSTM_ERROR_POOLING.
 *   pool    [B][H]  the sum of the last layer's h, or the largest; zeros, and unread, where there was no step
 *   counts  [B]     of how many steps: from 0 to 2^53 */
int pylstm_stream_set_pool(pylstm_stream *stream, const void *pool, const int64_t *counts);
int pylstm_stream_get_pool(const pylstm_stream *stream, void *pool, int64_t *counts);
/* What is kept of the steps so far where inputs may be missing; other streams have PYLSTM_ERROR_MISSING.
 *   kept  [B][F]          the last value of each feature, of a kind that holds them; or
 *         [B][n_columns]  for how many steps each column has been missing */
int pylstm_stream_set_kept(pylstm_stream *stream, const double *kept);
int pylstm_stream_get_kept(const pylstm_stream *stream, double *kept);
/*   x  [B][n_steps][I] of the dtype; tokens [B][n_steps], uint32_t, where they go in; of double, whatever the dtype,
 *      where inputs are scaled; [B][n_steps][F] where they may be missing, of which none is infinite
 *   y  [B][n_steps][n_outputs, or H], out: probabilities, values, or h; of double likewise, where targets are scaled */
int pylstm_stream_process(pylstm_stream *stream, ptrdiff_t n_steps, const void *x, void *y);

/* How tokens are drawn from the outputs of a language model, before any softmax. */
typedef struct pylstm_sampler {
    uint64_t seed;            /* of the token to come: each token that is drawn changes it */
    double temperature;       /* outputs are divided by it; 0: the most probable token is taken */
    ptrdiff_t top_k;          /* out of so many of the most probable; 0: of all */
    double top_p;             /* out of the fewest of them that have such a share together, up to 1: all */
    const uint32_t *excluded; /* [n_excluded] tokens that are never drawn */
    ptrdiff_t n_excluded;
} pylstm_sampler;

/* Writes on: takes a step with `token`, draws the next one from the outputs, takes a step with that, and so on, n
 * times; the last one that is drawn has not been read. Of a stream of one sequence whose outputs are one for each
 * token. tokens  [n], out */
int pylstm_stream_generate(pylstm_stream *stream, pylstm_sampler *sampler, uint32_t token, ptrdiff_t n,
                           uint32_t *tokens);

/* -------------------------------------------------------------------- blob */

/* A model in one buffer, as a file, flash or a network brings it, so that it can be replaced without compiling. Numbers
 * are little-endian, integers without sign:
 *
 *   offset  bytes
 *        0      8   magic: 89 50 59 4C 53 54 4D 0A
 *        8      4   format version: 5 of tokens; else 4 where inputs may be missing; else 3 where targets are scaled,
 *                   else 2
 *       12      4   CRC-32 of all bytes from 16 on: that of zlib and PNG
 *       16      8   bytes of all, from 0 on
 *       24      4   dtype       0 float32, 1 float64
 *       28      4   loss        as in pylstm_loss
 *       32      4   pooling     0 last, 1 mean, 2 max, 3 none
 *       36      4   is_scaled   1 with mean and scale of inputs, 2 of targets, 3 of both, 0 without; and 4 more where
 *                               inputs may be missing, by their mean, 8 more by the last value
 *       40      4   input_size I
 *       44      4   n_outputs, 0 without dense layer: then loss and pooling are not read
 *       48      4   n_directions
 *       52      4   n_layers, at most PYLSTM_BLOB_LAYERS
 *       56      4   cell        0 LSTM, 1 GRU, 2 RNN with tanh, 3 RNN with relu
 *             12 or 0   of tokens: input, as in pylstm_input; n_tokens; is_tied, 0 or 1: 4 each
 *             4 each    hidden_sizes [n_layers]
 *             4 or 0   zeros, so that what follows starts at a multiple of 8
 *                   mean [I], scale [I] of inputs, of float64, if there are
 *                   mean [n_outputs], scale [n_outputs] of targets likewise
 *                   n_columns, columns [n_columns] of int64, mean [F] of float64, where inputs may be missing
 *                   parameters [n_parameters] of the dtype, in the order of pylstm_net and pylstm_model
 *
 * Nothing follows. The weights are used where they lie, so a blob has to start at a multiple of 8 bytes, and works on
 * little-endian machines only. */
enum { PYLSTM_BLOB_LAYERS = 32 };

/* What is in a blob. The model has n_threads = 1, PYLSTM_ISA_BEST and no dropout, for the caller to change. */
typedef struct pylstm_blob {
    pylstm_model model;       /* its hidden_sizes are those below: a copy of this struct has to be pointed to its own */
    const void *parameters;   /* [n_parameters], within the data */
    pylstm_scalings scalings; /* within the data. A stream does them by itself; for the other calls they are the
                                 caller's to do */
    ptrdiff_t hidden_sizes[PYLSTM_BLOB_LAYERS];
} pylstm_blob;

/* Reads the blob of exactly `bytes` bytes at `data`, which has to stay where it is as long as `out` is used. Whatever
 * the data are, nothing outside of them is read, and all sizes are checked as by pylstm_model_check; the checksum finds
 * damage, not intent. Weights that are not finite are let through. On an error `out` is left as it was. */
int pylstm_blob_open(const void *data, size_t bytes, pylstm_blob *out);

/* Bytes of the blob of a model; n_outputs = 0 is one without dense layer, as for a stream. Of scalings, or NULL for
 * none, which there are. */
int pylstm_blob_size(const pylstm_model *model, const pylstm_scalings *scalings, size_t *bytes);
/* Writes it to the first of `memory`: parameters [n_parameters]. */
int pylstm_blob_write(const pylstm_model *model, const void *parameters, const pylstm_scalings *scalings,
                      pylstm_memory memory);

#ifdef __cplusplus
}
#endif
#endif
