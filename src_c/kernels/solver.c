#include "kernels/solver.h"

#include "kernels/descent.h"

double ISA_NAME(sum_of_squares)(ptrdiff_t n, const real *values)
{
    return sum_of_squares(n, values);
}

double ISA_NAME(decay)(ptrdiff_t n, double scale, const real *weights, real *gradient)
{
    for (ptrdiff_t k = 0; k < n; k++)
        gradient[k] += (real)scale * weights[k];
    return sum_of_squares(n, weights);
}

/* Kingma & Ba 2015, algorithm 1, with the two bias corrections taken out of the loop:
 *   m = beta_1 m + (1 - beta_1) g        v = beta_2 v + (1 - beta_2) g^2
 *   theta -= learning_rate * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) */
static void adam(ptrdiff_t n, real *parameters, const real *gradient, real scale, const pylstm_solver *solver)
{
    double t = (double)solver->t;
    real step = (real)(solver->learning_rate / (1 - pow(solver->beta_1, t)));
    real unbias = (real)(1 / sqrt(1 - pow(solver->beta_2, t)));
    real beta_1 = (real)solver->beta_1, beta_2 = (real)solver->beta_2, epsilon = (real)solver->epsilon;
    real rest_1 = (real)(1 - solver->beta_1), rest_2 = (real)(1 - solver->beta_2);
    real *m = solver->first_moment, *v = solver->second_moment;
    for (ptrdiff_t k = 0; k < n; k++) {
        real g = scale * gradient[k];
        m[k] = beta_1 * m[k] + rest_1 * g;
        v[k] = beta_2 * v[k] + rest_2 * g * g;
        parameters[k] -= step * m[k] / (SQRT(v[k]) * unbias + epsilon);
    }
}

/* Tieleman & Hinton 2012:  v = beta_2 v + (1 - beta_2) g^2        theta -= learning_rate g / (sqrt(v) + epsilon) */
static void rmsprop(ptrdiff_t n, real *parameters, const real *gradient, real scale, const pylstm_solver *solver)
{
    real step = (real)solver->learning_rate, epsilon = (real)solver->epsilon;
    real beta_2 = (real)solver->beta_2, rest_2 = (real)(1 - solver->beta_2), *v = solver->second_moment;
    for (ptrdiff_t k = 0; k < n; k++) {
        real g = scale * gradient[k];
        v[k] = beta_2 * v[k] + rest_2 * g * g;
        parameters[k] -= step * g / (SQRT(v[k]) + epsilon);
    }
}

/* Sutskever et al. 2013, with the weights themselves where Nesterov's momentum looks ahead from them:
 *   u = momentum u - learning_rate g        theta += u, with Nesterov momentum u - learning_rate g */
static void sgd(ptrdiff_t n, real *parameters, const real *gradient, real scale, const pylstm_solver *solver)
{
    real step = (real)solver->learning_rate * scale, momentum = (real)solver->momentum, *u = solver->first_moment;
    if (momentum == 0) {
        descend(n, parameters, gradient, step);
        return;
    }
    for (ptrdiff_t k = 0; k < n; k++) {
        real move = step * gradient[k];
        u[k] = momentum * u[k] - move;
        parameters[k] += solver->nesterov ? momentum * u[k] - move : u[k];
    }
}

void ISA_NAME(solver_step)(ptrdiff_t n, real *parameters, const real *gradient, double scale, pylstm_solver *solver)
{
    solver->t++;
    if (solver->kind == PYLSTM_SGD)
        sgd(n, parameters, gradient, (real)scale, solver);
    else if (solver->kind == PYLSTM_ADAM)
        adam(n, parameters, gradient, (real)scale, solver);
    else
        rmsprop(n, parameters, gradient, (real)scale, solver);
}
