/* Forecasts of one step after the other, each fed back; in double, but for the net. The exported file says before it:
 *
 *   exported_series, exported_net  the struct of a series, with the members that are named here; and of its net
 *   EXPORTED_TRANSFORM             what is done to values first
 *   EXPORTED_LAGS, lags            of differences, one after the other */
#ifndef PYLSTM_EXPORTED_RECURSIVE_H
#define PYLSTM_EXPORTED_RECURSIVE_H

#include "exported/series.h"

/* Of a row: the value, and what is known beside the next one. */
enum { VALUE, X };

/* Lets a net read a row, and says what it makes of the one that it has read. */
static void run_net(exported_net *net, const real *row);
static real said_by_net(const exported_net *net);

static bool take_in(exported_series *series, double value, const double *x)
{
    if (!is_welcome(value, x))
        return false;
    value = transformed(EXPORTED_TRANSFORM, value);
    double *tail = series->tails;
    for (int k = 0; k < EXPORTED_LAGS; k++) {
        double *before = tail + series->places[k];
        const double difference = value - *before;
        *before = value;
        value = difference;
        series->places[k] = (series->places[k] + 1) % lags[k];
        tail += lags[k];
    }
    real *row = series->row;
    row[VALUE] = series->last;
    scale_x(x, 0, row + X);
    run_net(&series->net, row);
    series->last = series->scale > 0 ? (real)((value - series->mean) / series->scale) : 0;
    return true;
}

/* y [n], with x [n][EXPORTED_X] known ahead; tails and places are as before after it. */
static void forecast(exported_series *series, int n, const double *x, double *y)
{
    memcpy(series->tails_ahead, series->tails, sizeof series->tails);
    series->ahead = series->net;
    real *row = series->row;
    row[VALUE] = series->last;
    for (int t = 0; t < n; t++) {
        scale_x(x, t, row + X);
        run_net(&series->ahead, row);
        row[VALUE] = series->scale > 0 ? said_by_net(&series->ahead) : 0;
        double value = row[VALUE] * series->scale + series->mean, *end = series->tails_ahead;
        for (int k = 0; k < EXPORTED_LAGS; k++)
            end += lags[k];
        for (int k = EXPORTED_LAGS - 1; k >= 0; k--) {
            end -= lags[k];
            double *before = end + (series->places[k] + t) % lags[k];
            value += *before;
            *before = value;
        }
        y[t] = as_it_was(EXPORTED_TRANSFORM, value);
    }
}

#endif
