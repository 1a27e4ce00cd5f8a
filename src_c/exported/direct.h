/* Forecasts of a horizon at once, by a net that has read a window of a series in one view of it after the other. In
 * double, but for the net. The exported file says before it:
 *
 *   exported_series, exported_net       the struct of a series, with the members that are named here; and of its net
 *   EXPORTED_WINDOW, EXPORTED_HORIZON   steps
 *   EXPORTED_REACH                      values that are kept: a window, and what is subtracted in it
 *   EXPORTED_VIEWS, view_lags,          and of each view, the steps back to what is subtracted, or 0 for the last value
 *   view_transforms                     of a window, and what is done to values first
 *   EXPORTED_SEASONS, seasons           that the first view is less; of none, one of a single step
 *
 * A step is counted from the end of what is known: -1 is the last one that has been, 0 the first that is forecast. */
#ifndef PYLSTM_EXPORTED_DIRECT_H
#define PYLSTM_EXPORTED_DIRECT_H

#include "exported/series.h"

/* Lets the net read a row, and says what it makes of the one that it has read. */
static void run_net(exported_net *net, const real *row);
static real said_by_net(const exported_net *net);

/* Of a row: the value, what is known beside it, whether and how far it is ahead, and the view. */
enum { VALUE, X, IS_AHEAD = X + EXPORTED_X, HOW_FAR, VIEW };

/* Where a step that has been is kept. */
static inline int place_of(const exported_series *series, int step)
{
    return (series->newest + 1 + step + EXPORTED_REACH) % EXPORTED_REACH;
}

static inline double value_at(const exported_series *series, int step, const double *y)
{
    return step < 0 ? series->past[place_of(series, step)] : y[step];
}

/* What is known beside a step, of those to come x [n][EXPORTED_X]. */
static inline void read_x(const exported_series *series, int step, const double *x, real *row)
{
#if EXPORTED_X > 0
    if (step < 0)
        memcpy(row, series->known + place_of(series, step) * EXPORTED_X, EXPORTED_X * sizeof *row);
    else
        scale_x(x, step, row);
#else
    (void)series, (void)step, (void)x, (void)row;
#endif
}

/* What all seasons add to the first view at a step. */
static double season_at(const exported_series *series, int step)
{
    const double *indices = series->indices;
    double sum = 0;
    for (int k = 0; k < EXPORTED_SEASONS; k++) {
        int place = (series->places[k] + step) % seasons[k];
        sum += indices[place < 0 ? place + seasons[k] : place];
        indices += seasons[k];
    }
    return sum;
}

static double as_read(const exported_series *series, int view, int step, const double *y)
{
    double value = transformed(view_transforms[view], value_at(series, step, y));
    if (view == 0)
        value -= season_at(series, step);
    return value / series->scales[view];
}

/* Adds to y [n], from step `first` on, what one view says. Before it are `n_known` values, those in y among them. */
static void add_view(exported_series *series, int view, int n_known, int first, int n, const double *x, double *y)
{
    const int lag = view_lags[view], last = first - 1;
    int length = n_known - lag;
    length = length < 1 ? 1 : length > EXPORTED_WINDOW ? EXPORTED_WINDOW : length;
    memset(&series->net, 0, sizeof series->net);
    for (int ahead = 1 - length; ahead <= n; ahead++) {
        int base = lag == 0 ? 0 : ahead - lag * (ahead > 0 ? (ahead + lag - 1) / lag : 1);
        base = base < 1 - n_known ? 1 - n_known : base;
        const double less = as_read(series, view, last + base, y);
        real *row = series->row;
        memset(row, 0, sizeof series->row);
        read_x(series, last + ahead, x, row + X);
        if (ahead > 0) {
            row[IS_AHEAD] = 1;
            row[HOW_FAR] = (real)((double)ahead / EXPORTED_HORIZON);
        } else {
            row[VALUE] = (real)(as_read(series, view, last + ahead, y) - less);
        }
        row[VIEW + view] = 1;
        run_net(&series->net, row);
        if (ahead > 0) {
            double value = (less + said_by_net(&series->net)) * series->scales[view];
            if (view == 0)
                value += season_at(series, last + ahead);
            y[last + ahead] += as_it_was(view_transforms[view], value);
        }
    }
}

/* y [n], with x [n][EXPORTED_X] known ahead: a horizon after the other, each from those before; of each view that
 * reaches back far enough, the mean. */
static void forecast(exported_series *series, int n, const double *x, double *y)
{
    for (int first = 0; first < n; first += EXPORTED_HORIZON) {
        const int n_known = series->n_past + first,
                  n_ahead = n - first < EXPORTED_HORIZON ? n - first : EXPORTED_HORIZON;
        const double last = value_at(series, first - 1, y);
        int n_views = 0;
        for (int k = 0; k < n_ahead; k++)
            y[first + k] = 0;
        for (int view = 0; view < EXPORTED_VIEWS; view++) {
            if (view_lags[view] <= n_known) {
                add_view(series, view, n_known, first, n_ahead, x, y);
                n_views++;
            }
        }
        for (int k = 0; k < n_ahead; k++)
            y[first + k] = series->varies ? y[first + k] / n_views : last;
    }
}

static bool take_in(exported_series *series, double value, const double *x)
{
    if (!is_welcome(value, x))
        return false;
    series->newest = (series->newest + 1) % EXPORTED_REACH;
    series->past[series->newest] = value;
#if EXPORTED_X > 0
    scale_x(x, 0, series->known + series->newest * EXPORTED_X);
#endif
    series->n_past += series->n_past < EXPORTED_REACH;
    for (int k = 0; k < EXPORTED_SEASONS; k++)
        series->places[k] = (series->places[k] + 1) % seasons[k];
    return true;
}

#endif
