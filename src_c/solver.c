#include "solver.h"

double NAME(sum_of_squares)(ptrdiff_t n, const real *values)
{
    enum { LANES = 8 }; /* sums side by side: one alone would wait for itself at each addition */
    double sums[LANES] = {0}, sum = 0;
    ptrdiff_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (ptrdiff_t j = 0; j < LANES; j++)
            sums[j] += (double)values[k + j] * (double)values[k + j];
    for (; k < n; k++)
        sum += (double)values[k] * (double)values[k];
    for (ptrdiff_t j = 0; j < LANES; j++)
        sum += sums[j];
    return sum;
}

void NAME(clip_norm)(ptrdiff_t n, real *gradient, double max_norm)
{
    if (max_norm == 0)
        return;
    double norm = sqrt(NAME(sum_of_squares)(n, gradient));
    if (norm <= max_norm)
        return;
    real scale = (real)(max_norm / norm);
    for (ptrdiff_t k = 0; k < n; k++)
        gradient[k] *= scale;
}

/* Kingma & Ba 2015, algorithm 1, with the two bias corrections taken out of the loop:
 *   m = beta_1 m + (1 - beta_1) g        v = beta_2 v + (1 - beta_2) g^2
 *   theta -= learning_rate * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) */
static void adam(ptrdiff_t n, real *parameters, const real *gradient, const pylstm_solver *solver)
{
    double t = (double)solver->t;
    real step = (real)(solver->learning_rate / (1 - pow(solver->beta_1, t)));
    real unbias = (real)(1 / sqrt(1 - pow(solver->beta_2, t)));
    real beta_1 = (real)solver->beta_1, beta_2 = (real)solver->beta_2, epsilon = (real)solver->epsilon;
    real rest_1 = (real)(1 - solver->beta_1), rest_2 = (real)(1 - solver->beta_2);
    real *m = solver->first_moment, *v = solver->second_moment;
    for (ptrdiff_t k = 0; k < n; k++) {
        m[k] = beta_1 * m[k] + rest_1 * gradient[k];
        v[k] = beta_2 * v[k] + rest_2 * gradient[k] * gradient[k];
        parameters[k] -= step * m[k] / (SQRT(v[k]) * unbias + epsilon);
    }
}

/* Sutskever et al. 2013, with the weights themselves where Nesterov's momentum looks ahead from them:
 *   u = momentum u - learning_rate g        theta += u, with Nesterov momentum u - learning_rate g */
static void sgd(ptrdiff_t n, real *parameters, const real *gradient, const pylstm_solver *solver)
{
    real step = (real)solver->learning_rate, momentum = (real)solver->momentum, *u = solver->first_moment;
    for (ptrdiff_t k = 0; k < n; k++) {
        u[k] = momentum * u[k] - step * gradient[k];
        parameters[k] += solver->nesterov ? momentum * u[k] - step * gradient[k] : u[k];
    }
}

/* Tieleman & Hinton 2012:  v = beta_2 v + (1 - beta_2) g^2        theta -= learning_rate g / (sqrt(v) + epsilon) */
static void rmsprop(ptrdiff_t n, real *parameters, const real *gradient, const pylstm_solver *solver)
{
    real step = (real)solver->learning_rate, epsilon = (real)solver->epsilon;
    real beta_2 = (real)solver->beta_2, rest_2 = (real)(1 - solver->beta_2), *v = solver->second_moment;
    for (ptrdiff_t k = 0; k < n; k++) {
        v[k] = beta_2 * v[k] + rest_2 * gradient[k] * gradient[k];
        parameters[k] -= step * gradient[k] / (SQRT(v[k]) + epsilon);
    }
}

void NAME(solver_step)(ptrdiff_t n, real *parameters, const real *gradient, pylstm_solver *solver)
{
    solver->t++;
    if (solver->kind == PYLSTM_ADAM)
        adam(n, parameters, gradient, solver);
    else if (solver->kind == PYLSTM_SGD)
        sgd(n, parameters, gradient, solver);
    else
        rmsprop(n, parameters, gradient, solver);
}
