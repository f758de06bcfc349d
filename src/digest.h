/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums, by libcrypto, and CRC-32 by zlib. */
#ifndef PLATTER_DIGEST_H
#define PLATTER_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* The longest is SHA-512's. */
#define DIGEST_MAX 64

struct digest;

/*
 * Begin one: "md5", "sha1", "sha256", "sha512", "blake2b", "crc32", "dc42" (see struct image_sum).
 * The last two are written big-endian. -EINVAL for another name, -EOPNOTSUPP with the library that
 * this build lacks.
 */
int digest_new(const char *name, struct digest **out, struct platter_error *err);

/* 0 or -errno. */
int digest_add(struct digest *d, const void *bytes, size_t len);

/* The value and its length; 0 bytes when it failed. Nothing can be added after. */
size_t digest_end(struct digest *d, uint8_t value[DIGEST_MAX]);

/* NULL is fine. */
void digest_free(struct digest *d);

#endif
