// pylstm.h is C++ too: what fails here fails to compile or to link.
#include "pylstm.h"

#include <cstring>

int main()
{
    const std::ptrdiff_t hidden_sizes[] = {4};
    pylstm_model model = {};
    model.net.input_size = 1;
    model.net.n_layers = 1;
    model.net.hidden_sizes = hidden_sizes;
    model.net.n_directions = 1;
    model.net.n_threads = 1;
    std::size_t bytes = 0;
    const int status = pylstm_stream_size(&model, 1, &bytes);
    return status == PYLSTM_OK && bytes > 0 && std::strcmp(pylstm_strerror(status), "no error") == 0 ? 0 : 1;
}
