/* Quantiles of a direct forecast, by what it erred by. The exported file says before it: EXPORTED_ERRORS, of how many
 * steps that is known, and error_sizes of them; EXPORTED_QUANTILES, and error_factors of them. */
#ifndef PYLSTM_EXPORTED_QUANTILES_H
#define PYLSTM_EXPORTED_QUANTILES_H

#include "exported/direct.h"

/* bounds [n_quantiles][n] of forecasts y [n]. Beyond the steps of which errors are known they grow with the root. */
static void bound(const exported_series *series, int n, const double *y, double *bounds)
{
    const int transform = view_transforms[0];
    for (int k = 0; k < n; k++) {
        const bool is_known = k < EXPORTED_ERRORS;
        const double size = error_sizes[is_known ? k : EXPORTED_ERRORS - 1] * series->spread;
        const double width = is_known ? size : size * root_in_double((k + 1.0) / EXPORTED_ERRORS);
        const double centre = transformed(transform, y[k]);
        for (int j = 0; j < EXPORTED_QUANTILES; j++)
            bounds[j * n + k] = width > 0 ? as_it_was(transform, centre + error_factors[j] * width) : y[k];
    }
}

#endif
