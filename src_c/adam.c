#include "adam.h"

void NAME(clip_norm)(ptrdiff_t n, real *gradient, double max_norm)
{
    double squares = 0;
    for (ptrdiff_t k = 0; k < n; k++)
        squares += (double)gradient[k] * (double)gradient[k];
    double norm = sqrt(squares);
    if (max_norm == 0 || norm <= max_norm)
        return;
    real scale = (real)(max_norm / norm);
    for (ptrdiff_t k = 0; k < n; k++)
        gradient[k] *= scale;
}

/* Kingma & Ba 2015, algorithm 1, with the two bias corrections taken out of the loop:
 *   m = beta_1 m + (1 - beta_1) g        v = beta_2 v + (1 - beta_2) g^2
 *   theta -= learning_rate * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) */
void NAME(adam_step)(ptrdiff_t n, real *parameters, const real *gradient, pylstm_adam *adam)
{
    double t = (double)++adam->t;
    real step = (real)(adam->learning_rate / (1 - pow(adam->beta_1, t)));
    real unbias = (real)(1 / sqrt(1 - pow(adam->beta_2, t)));
    real beta_1 = (real)adam->beta_1, beta_2 = (real)adam->beta_2, epsilon = (real)adam->epsilon;
    real rest_1 = (real)(1 - adam->beta_1), rest_2 = (real)(1 - adam->beta_2);
    real *m = adam->first_moment, *v = adam->second_moment;
    for (ptrdiff_t k = 0; k < n; k++) {
        m[k] = beta_1 * m[k] + rest_1 * gradient[k];
        v[k] = beta_2 * v[k] + rest_2 * gradient[k] * gradient[k];
        parameters[k] -= step * m[k] / (SQRT(v[k]) * unbias + epsilon);
    }
}
