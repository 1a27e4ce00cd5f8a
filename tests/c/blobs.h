/* Blobs, their checksums, and opening them where every byte past their end is seen. */
#ifndef BLOBS_H
#define BLOBS_H

#include "reals.h"

#include <limits.h>

enum { CHECKSUM_AT = 12, BYTES_AT = 16, FIELDS_AT = 24, HEADER = 60 };

static inline unsigned char *copy_bytes(const unsigned char *from, size_t bytes)
{
    return memcpy(allocate(bytes), from, bytes);
}

static inline void put(unsigned char *to, uint32_t value)
{
    for (int k = 0; k < 4; k++)
        to[k] = (unsigned char)(value >> 8 * k);
}

/* The checksum by its definition, a bit at a time: so that what is wrong otherwise comes to be checked. */
static inline void seal(unsigned char *blob, size_t bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t k = BYTES_AT; k < bytes; k++) {
        crc ^= blob[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
    }
    put(blob + CHECKSUM_AT, ~crc);
}

/* On an error what was there stays as it was. */
static inline int open_exactly(const unsigned char *from, size_t bytes)
{
    unsigned char *data = copy_bytes(from, bytes);
    pylstm_blob blob, before;
    memset(&blob, 0x5a, sizeof blob);
    memcpy(&before, &blob, sizeof blob);
    int status = pylstm_blob_open(data, bytes, &blob);
    CHECK(!status || memcmp(&before, &blob, sizeof blob) == 0);
    if (!status) {
        const unsigned char *parameters = blob.parameters;
        size_t size = (size_t)pylstm_model_n_parameters(&blob.model) * real_size(&blob.model.net);
        CHECK(parameters >= data + HEADER && parameters + size == data + bytes);
    }
    free(data);
    return status;
}

/* What is cut off, flipped or added is found. */
static inline void check_mutations(unsigned char *blob, size_t bytes)
{
    CHECK_STATUS(open_exactly(blob, bytes), PYLSTM_OK);
    for (size_t length = 0; length < bytes; length++)
        CHECK_STATUS(open_exactly(blob, length), PYLSTM_ERROR_BLOB);
    for (size_t at = 0; at < bytes; at++) {
        for (int bit = 0; bit < 9; bit++) {
            unsigned char flip = (unsigned char)(bit < 8 ? 1 << bit : 0xff);
            blob[at] ^= flip;
            int is_known = blob[8] >= 2 && blob[8] <= 5 && !blob[9] && !blob[10] && !blob[11]; /* the version */
            int status = open_exactly(blob, bytes);
            if (blob[8] == 5 && at == 8) /* of tokens, whose sizes lie elsewhere: what is read for one may not fit */
                CHECK(status == PYLSTM_ERROR_BLOB || status == PYLSTM_ERROR_OVERFLOW);
            else
                CHECK_STATUS(status, is_known ? PYLSTM_ERROR_BLOB : PYLSTM_ERROR_VERSION);
            blob[at] ^= flip;
        }
    }
    unsigned char *longer = allocate(bytes + 8);
    for (size_t more = 1; more <= 8; more++) {
        memcpy(longer, blob, bytes);
        memset(longer + bytes, 0, more);
        CHECK_STATUS(open_exactly(longer, bytes + more), PYLSTM_ERROR_BLOB);
        put(longer + BYTES_AT, (uint32_t)(bytes + more));
        seal(longer, bytes + more);
        CHECK_STATUS(open_exactly(longer, bytes + more), PYLSTM_ERROR_BLOB);
    }
    free(longer);
}

#endif
