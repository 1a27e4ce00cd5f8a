/* What training asks of the dense layer on top (model/head_pass.c), for one instruction set: products, and the softmax
 * of many rows side by side.
 *
 * Panels are a matrix [n_k][n_columns] in the order in which a product reads it: columns in panels of 2 to 4
 * vectors, panel after panel, of a panel its columns of one k after the other; padded with zeros to whole vectors, of
 * which there are at least 2. */
#ifndef PYLSTM_KERNELS_HEAD_H
#define PYLSTM_KERNELS_HEAD_H

#include "kernels/kernels.h"

/* out [n_rows][n_columns] = start + sum over k of a[row][k] * panels[k][column] */
struct product {
    ptrdiff_t n_rows, n_columns, n_k;
    const real *a; /* of a row and a k: at a + row * a_row + k * a_k */
    ptrdiff_t a_row, a_k;
    const real *panels;
    struct rows out;
    bool adds;         /* start: what is there; else */
    const real *start; /* [n_rows], or NULL: zeros */
    /* Two matrices that are in no cache, without gaps between their rows. Meanwhile one row of each is asked for with
     * each row of a. Nothing is where the stride is 0. */
    struct const_rows ahead[2];
};

struct head_kernels {
    /* Panels of a matrix [n_k][n_columns] as it lies; of one that lies transposed, n_columns rows of n_k. */
    void (*pack)(ptrdiff_t n_k, ptrdiff_t n_columns, struct const_rows from, real *panels);
    void (*pack_transposed)(ptrdiff_t n_k, ptrdiff_t n_columns, struct const_rows from, real *panels);

    void (*product)(const struct product *product);

    /* values, n rows of n_columns, a multiple of lanes: each to e^(value - largest), where largest [n_columns] becomes
     * that of what it was and of its column; sums [n_columns], of such values, go on to the new largest, and have these
     * added. */
    void (*exponentials)(ptrdiff_t n, ptrdiff_t n_columns, struct rows values, real *largest, real *sums);

    /* values, n rows of n_columns, a multiple of lanes, each times its column's factor; sums [n] += those of the rows.
     */
    void (*scale)(ptrdiff_t n, ptrdiff_t n_columns, struct rows values, const real *factors, real *sums);
};

extern const struct head_kernels ISA_NAME(head_kernels);

#endif
