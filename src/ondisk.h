/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types and checked arithmetic for numbers that come from an image.
 *
 * An on-disk integer is a struct of bytes: it has alignment 1, so structs made of them need no
 * "packed", and it cannot be used as a number without saying which end comes first. Everything
 * read from an image is hostile: ranges are compared by subtraction, sums and products go through
 * the ckd_* helpers.
 */
#ifndef PLATTER_ONDISK_H
#define PLATTER_ONDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	uint8_t b[2];
} le16;
typedef struct {
	uint8_t b[4];
} le32;
typedef struct {
	uint8_t b[8];
} le64;
typedef struct {
	uint8_t b[2];
} be16;
typedef struct {
	uint8_t b[4];
} be32;
typedef struct {
	uint8_t b[8];
} be64;

static inline uint16_t le16_get(le16 v)
{
	return (uint16_t)(v.b[0] | v.b[1] << 8);
}

static inline uint32_t le32_get(le32 v)
{
	return (uint32_t)v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 |
	       (uint32_t)v.b[3] << 24;
}

static inline uint64_t le64_get(le64 v)
{
	le32 lo, hi;

	memcpy(lo.b, v.b, 4);
	memcpy(hi.b, v.b + 4, 4);
	return le32_get(lo) | (uint64_t)le32_get(hi) << 32;
}

static inline uint16_t be16_get(be16 v)
{
	return (uint16_t)(v.b[0] << 8 | v.b[1]);
}

static inline uint32_t be32_get(be32 v)
{
	return (uint32_t)v.b[0] << 24 | (uint32_t)v.b[1] << 16 | (uint32_t)v.b[2] << 8 |
	       (uint32_t)v.b[3];
}

static inline uint64_t be64_get(be64 v)
{
	be32 hi, lo;

	memcpy(hi.b, v.b, 4);
	memcpy(lo.b, v.b + 4, 4);
	return (uint64_t)be32_get(hi) << 32 | be32_get(lo);
}

static inline le16 le16_put(uint16_t v)
{
	return (le16){{(uint8_t)v, (uint8_t)(v >> 8)}};
}

static inline le32 le32_put(uint32_t v)
{
	return (le32){{(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}};
}

static inline le64 le64_put(uint64_t v)
{
	le32 lo = le32_put((uint32_t)v), hi = le32_put((uint32_t)(v >> 32));
	le64 r;

	memcpy(r.b, lo.b, 4);
	memcpy(r.b + 4, hi.b, 4);
	return r;
}

static inline be16 be16_put(uint16_t v)
{
	return (be16){{(uint8_t)(v >> 8), (uint8_t)v}};
}

static inline be32 be32_put(uint32_t v)
{
	return (be32){{(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
}

static inline be64 be64_put(uint64_t v)
{
	be32 hi = be32_put((uint32_t)(v >> 32)), lo = be32_put((uint32_t)v);
	be64 r;

	memcpy(r.b, hi.b, 4);
	memcpy(r.b + 4, lo.b, 4);
	return r;
}

/* The integer that stands at p, which need not be aligned. */
static inline uint16_t le16_at(const void *p)
{
	le16 v;

	memcpy(v.b, p, sizeof v.b);
	return le16_get(v);
}

static inline uint32_t be32_at(const void *p)
{
	be32 v;

	memcpy(v.b, p, sizeof v.b);
	return be32_get(v);
}

static inline uint32_t le32_at(const void *p)
{
	le32 v;

	memcpy(v.b, p, sizeof v.b);
	return le32_get(v);
}

static inline uint64_t le64_at(const void *p)
{
	le64 v;

	memcpy(v.b, p, sizeof v.b);
	return le64_get(v);
}

static inline uint64_t be64_at(const void *p)
{
	be64 v;

	memcpy(v.b, p, sizeof v.b);
	return be64_get(v);
}

/* Whether [off, off + len) lies inside [0, size). */
static inline bool range_ok(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* *r = a + b (or a * b); false when that does not fit 64 bits, and *r is then not to be used. */
static inline bool ckd_add64(uint64_t *r, uint64_t a, uint64_t b)
{
	return !__builtin_add_overflow(a, b, r);
}

static inline bool ckd_mul64(uint64_t *r, uint64_t a, uint64_t b)
{
	return !__builtin_mul_overflow(a, b, r);
}

static inline uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool is_pow2(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* v rounded down (up) to a multiple of the power of two a; the caller knows that up fits. */
static inline uint64_t align_down(uint64_t v, uint64_t a)
{
	return v & ~(a - 1);
}

static inline uint64_t align_up(uint64_t v, uint64_t a)
{
	return align_down(v + a - 1, a);
}

/* Whether a checksum is the recorded one. A fuzzer would not get past it by chance, so in what
 * contrib/fuzz builds any is. */
static inline bool sum_matches(uint32_t sum, uint32_t recorded)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	(void)sum;
	(void)recorded;
	return true;
#else
	return sum == recorded;
#endif
}

#endif
