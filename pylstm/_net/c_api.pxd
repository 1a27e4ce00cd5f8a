# src_c/pylstm.h, where every function is documented.
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "pylstm.h" nogil:
    ctypedef void pylstm_sgemm(char *, char *, int *, int *, int *, float *, float *, int *, float *, int *, float *,
                               float *, int *)
    ctypedef void pylstm_dgemm(char *, char *, int *, int *, int *, double *, double *, int *, double *, int *,
                               double *, double *, int *)

    const char *pylstm_strerror(int status)

    ctypedef struct pylstm_blas:
        pylstm_sgemm *sgemm
        pylstm_dgemm *dgemm
        Py_ssize_t one_thread_product

    ctypedef enum pylstm_dtype:
        PYLSTM_FLOAT32
        PYLSTM_FLOAT64

    ctypedef enum pylstm_isa:
        PYLSTM_ISA_BEST
        PYLSTM_ISA_SCALAR
        PYLSTM_N_ISA

    const char *pylstm_isa_name(int)
    int pylstm_isa_available(int)
    pylstm_isa pylstm_isa_best()

    ctypedef enum pylstm_cell:
        PYLSTM_LSTM

    ctypedef enum pylstm_input:
        PYLSTM_VALUES
        PYLSTM_ONE_HOT
        PYLSTM_EMBEDDING
        PYLSTM_FROZEN

    ctypedef struct pylstm_net:
        pylstm_dtype dtype
        Py_ssize_t input_size
        Py_ssize_t n_layers
        const Py_ssize_t *hidden_sizes
        Py_ssize_t n_directions
        double dropout
        pylstm_isa isa
        Py_ssize_t n_threads
        pylstm_cell cell
        int last_first
        pylstm_input input
        Py_ssize_t n_tokens

    ctypedef struct pylstm_layer:
        Py_ssize_t direction
        Py_ssize_t input_size, hidden_size
        Py_ssize_t weight_ih, weight_hh, bias
        Py_ssize_t h, c
        Py_ssize_t n_gates, n_biases, n_states

    int pylstm_net_check(const pylstm_net *)
    Py_ssize_t pylstm_net_n_parameters(const pylstm_net *)
    Py_ssize_t pylstm_net_state_size(const pylstm_net *)
    Py_ssize_t pylstm_net_output_size(const pylstm_net *)
    bint pylstm_net_next(const pylstm_net *, pylstm_layer *)

    ctypedef struct pylstm_shape:
        Py_ssize_t n_sequences, n_steps, n_rows

    ctypedef struct pylstm_batch:
        pylstm_shape shape
        Py_ssize_t *order

    int pylstm_shape_init(pylstm_shape *, Py_ssize_t, const Py_ssize_t *)
    int pylstm_batch_size(const pylstm_shape *, size_t *)
    int pylstm_batch_init(pylstm_batch *, Py_ssize_t, const Py_ssize_t *, void *, size_t)

    ctypedef struct pylstm_memory:
        void *data
        size_t bytes

    int pylstm_tape_size(const pylstm_net *, const pylstm_shape *, size_t *)
    int pylstm_forward_size(const pylstm_net *, const pylstm_shape *, size_t *)
    int pylstm_backward_size(const pylstm_net *, const pylstm_shape *, size_t *)
    int pylstm_packed_size(const pylstm_net *, size_t *)
    int pylstm_pack(const pylstm_net *, const void *, pylstm_memory)

    ctypedef struct pylstm_forward_pass:
        const pylstm_batch *batch
        const void *parameters
        pylstm_memory packed
        const void *x
        int token_size
        const void *state_in
        const void *held
        void *y
        void *state_out
        uint64_t dropout_seed
        pylstm_memory tape
        pylstm_memory workspace

    ctypedef struct pylstm_backward_pass:
        const pylstm_batch *batch
        const void *parameters
        const void *dy
        const void *dstate_out
        const void *x
        int token_size
        void *dparameters
        void *dx
        void *dstate_in
        uint64_t dropout_seed
        pylstm_memory tape
        pylstm_memory workspace

    int pylstm_forward(const pylstm_net *, const pylstm_forward_pass *)
    int pylstm_trace(const pylstm_net *, const pylstm_forward_pass *)
    int pylstm_backward(const pylstm_net *, const pylstm_backward_pass *)

    int pylstm_tape_read(const pylstm_net *, const pylstm_batch *, Py_ssize_t, Py_ssize_t, pylstm_memory, void *)

    ctypedef enum pylstm_pooling:
        PYLSTM_POOL_LAST
        PYLSTM_POOL_MEAN
        PYLSTM_POOL_MAX
        PYLSTM_POOL_NONE

    ctypedef enum pylstm_loss:
        PYLSTM_CROSS_ENTROPY
        PYLSTM_SQUARED_ERROR
        PYLSTM_ABSOLUTE_ERROR
        PYLSTM_HUBER
        PYLSTM_QUANTILE
        PYLSTM_SIGMOID
        PYLSTM_CALLER

    ctypedef struct pylstm_model:
        pylstm_net net
        Py_ssize_t n_outputs
        pylstm_pooling pooling
        pylstm_loss loss
        double loss_parameter
        int is_tied

    ctypedef struct pylstm_head_place:
        Py_ssize_t weight
        Py_ssize_t bias

    pylstm_head_place pylstm_model_head(const pylstm_model *)
    int pylstm_model_check(const pylstm_model *)
    Py_ssize_t pylstm_model_n_parameters(const pylstm_model *)

    ctypedef enum pylstm_parameter_kind:
        PYLSTM_DECAYED
        PYLSTM_PLAIN
        PYLSTM_ROWS
        PYLSTM_KEPT

    ctypedef struct pylstm_parameter:
        const char *name
        Py_ssize_t rows, columns, offset
        pylstm_parameter_kind kind

    bint pylstm_reads_labels(pylstm_loss)
    bint pylstm_model_next(const pylstm_model *, pylstm_parameter *)
    int pylstm_predict_size(const pylstm_model *, const pylstm_shape *, size_t *)
    int pylstm_predict(const pylstm_model *, const pylstm_forward_pass *)

    int pylstm_read_out(const pylstm_model *, const pylstm_batch *, const void *, const void *, void *,
                        pylstm_memory)

    ctypedef struct pylstm_minibatch:
        Py_ssize_t n_sequences
        const void *const *x
        Py_ssize_t x_stride
        int token_size
        const Py_ssize_t *length
        const Py_ssize_t *row
        const void *const *targets
        const double *const *weights
        double total_weight
        uint64_t dropout_seed
        const void *state_in
        void *state_out
        const void *dstate_out
        void *dstate_in

    ctypedef struct pylstm_gradient:
        pass

    int pylstm_gradient_size(const pylstm_model *, const pylstm_shape *, size_t *)
    int pylstm_gradient_init(pylstm_gradient **, const pylstm_model *, const pylstm_blas *, const pylstm_shape *,
                             void *, void *, pylstm_memory)
    int pylstm_gradient_begin(pylstm_gradient *)
    int pylstm_gradient_add(pylstm_gradient *, const pylstm_minibatch *)
    int pylstm_gradient_outputs(pylstm_gradient *, const pylstm_minibatch *, void *)
    int pylstm_gradient_backward(pylstm_gradient *, const pylstm_minibatch *, const void *)
    int pylstm_gradient_finish(pylstm_gradient *, double *)

    ctypedef enum pylstm_solver_kind:
        PYLSTM_ADAM
        PYLSTM_SGD
        PYLSTM_RMSPROP

    ctypedef struct pylstm_solver:
        pylstm_solver_kind kind
        double learning_rate, beta_1, beta_2, epsilon
        double momentum
        int nesterov
        double alpha
        double max_grad_norm
        int64_t t
        void *first_moment
        void *second_moment

    int pylstm_update(const pylstm_model *, pylstm_solver *, void *, void *, double, double *)
    int pylstm_train_step(pylstm_gradient *, const pylstm_minibatch *, pylstm_solver *, double *)

    ctypedef struct pylstm_head:
        pylstm_dtype dtype
        pylstm_isa isa
        Py_ssize_t n_threads
        Py_ssize_t width, n_outputs
        pylstm_loss loss
        double loss_parameter

    ctypedef struct pylstm_head_batch:
        Py_ssize_t n_rows
        const void *features
        const void *weight
        const void *bias
        const Py_ssize_t *labels
        const void *targets
        const double *weights
        void *dfeatures
        void *dweight
        void *dbias

    int pylstm_head_size(const pylstm_head *, Py_ssize_t, size_t *)
    int pylstm_head_gradient(const pylstm_head *, const pylstm_blas *, const pylstm_head_batch *, double *,
                             pylstm_memory)

    ctypedef struct pylstm_scaling:
        const double *mean
        const double *scale

    ctypedef enum pylstm_missing_kind:
        PYLSTM_MISSING_NONE, PYLSTM_MISSING_INDICATOR, PYLSTM_MISSING_HOLD

    ctypedef struct pylstm_missing:
        pylstm_missing_kind kind
        const double *mean
        Py_ssize_t n_columns
        const int64_t *columns

    ctypedef struct pylstm_scalings:
        pylstm_scaling inputs, targets
        pylstm_missing missing

    ctypedef struct pylstm_stream:
        pass

    int pylstm_stream_size(const pylstm_model *, Py_ssize_t, size_t *)
    int pylstm_stream_init(pylstm_stream **, const pylstm_model *, Py_ssize_t, const void *, const pylstm_scalings *,
                           pylstm_memory)
    int pylstm_stream_set_weights(pylstm_stream *, const void *, const pylstm_scalings *)
    int pylstm_stream_set_state(pylstm_stream *, const void *)
    int pylstm_stream_get_state(const pylstm_stream *, void *)
    int pylstm_stream_set_pool(pylstm_stream *, const void *, const int64_t *)
    int pylstm_stream_get_pool(const pylstm_stream *, void *, int64_t *)
    int pylstm_stream_set_kept(pylstm_stream *, const double *)
    int pylstm_stream_get_kept(const pylstm_stream *, double *)
    ctypedef struct pylstm_sampler:
        uint64_t seed
        double temperature
        Py_ssize_t top_k
        double top_p
        const uint32_t *excluded
        Py_ssize_t n_excluded

    int pylstm_stream_generate(pylstm_stream *, pylstm_sampler *, uint32_t, Py_ssize_t, uint32_t *)
    int pylstm_stream_process(pylstm_stream *, Py_ssize_t, const void *, void *)

    enum:
        PYLSTM_BLOB_LAYERS

    int pylstm_blob_size(const pylstm_model *, const pylstm_scalings *, size_t *)
    int pylstm_blob_write(const pylstm_model *, const void *, const pylstm_scalings *, pylstm_memory)
