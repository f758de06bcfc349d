/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image-sums IMAGE: what its driver reports beside the disk. A line for each note, and one for each
 * checksum: "DIGEST START LENGTH GAPS good|wrong WHAT", compared with the disk as it reads.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cache.h"
#include "image.h"
#include "ondisk.h"
#include "testdev.h"

#define PIECE ((size_t)64 << 10)

static uint32_t dc42(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 2; len -= 2, p += 2) {
		sum += (uint32_t)p[0] << 8 | p[1];
		sum = sum >> 1 | sum << 31;
	}
	return sum;
}

static uint32_t add(const struct image *image, const struct image_sum *s, uint32_t sum,
                    uint64_t off, uint64_t end)
{
	static uint8_t buf[PIECE];

	while (off < end) {
		size_t n = (size_t)min64(PIECE, end - off);

		CHECK(run_read(&image->source, buf, n, off) == 0);
		sum = strcmp(s->digest, "dc42") == 0 ? dc42(sum, buf, n)
		                                     : (uint32_t)crc32(sum, buf, (unsigned)n);
		off += n;
	}
	return sum;
}

static void report(const struct image *image, const struct image_sum *s)
{
	uint64_t off = s->start, end = s->start + s->length;
	uint32_t sum = 0;
	be32 stored;

	CHECK(strcmp(s->digest, "dc42") == 0 || strcmp(s->digest, "crc32") == 0);
	CHECK(end <= image->size);
	for (size_t i = 0; i < s->ngaps; i++) {
		const struct image_gap *gap = &s->gaps[i];

		/* In order, apart, inside, and of something. */
		CHECK(gap->length && gap->start + gap->length <= end);
		CHECK(gap->start >= off && (i == 0 || gap->start > off));
		sum = add(image, s, sum, off, gap->start);
		off = gap->start + gap->length;
	}
	sum = add(image, s, sum, off, end);
	memcpy(stored.b, s->value, sizeof stored.b);
	printf("%s %llu %llu %zu %s %s\n", s->digest, (unsigned long long)s->start,
	       (unsigned long long)s->length, s->ngaps, sum == be32_get(stored) ? "good" : "wrong",
	       s->what);
}

int main(int argc, char **argv)
{
	struct image_request req = {.cache = cache_new((size_t)16 << 20)};
	struct platter_error err;
	struct image *image;

	CHECK(argc == 2 && req.cache);
	if (image_open(argv[1], &req, &image, &err) != 0) {
		fprintf(stderr, "%s: %s\n", argv[1], err.text);
		return 1;
	}
	for (size_t i = 0; i < image->nnotes; i++)
		printf("note: %s\n", image->notes[i]);
	for (size_t i = 0; i < image->nsums; i++)
		report(image, &image->sums[i]);
	image_close(image);
	cache_free(req.cache);
	return 0;
}
