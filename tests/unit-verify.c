/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platter_verify over checksums of many ranges: overlapping, empty, with stretches left out, across
 * holes and pieces, and what it says of those that are wrong or cannot be computed. With CRC-32 and
 * DiskCopy's sum, which every build has.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "disk.h"
#include "ondisk.h"
#include "testdev.h"

#define SIZE ((size_t)5 << 20)

static uint8_t *bytes;
static struct image image;
static struct platter p = {.path = (char *)"x", .container = &image};

/* What platter_verify told. */
static unsigned told, same;
static char order[1024];

static void tell(void *arg, const struct platter_sum *sum)
{
	size_t used = strlen(order);

	(void)arg;
	told++;
	same += strcmp(sum->value, sum->stored) == 0;
	snprintf(order + used, sizeof order - used, "%s ", sum->what);
}

static uint32_t crc_without(uint64_t start, uint64_t length, const struct image_gap *gaps, size_t n)
{
	uint64_t at = start, end = start + length;
	uLong crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc = crc32_z(crc, bytes + at, gaps[i].start - at);
		at = gaps[i].start + gaps[i].length;
	}
	return (uint32_t)crc32_z(crc, bytes + at, end - at);
}

static void add(const char *what, uint64_t start, uint64_t length, const struct image_gap *gaps,
                size_t n, uint32_t wrong)
{
	struct image_sum s = {
		.digest = "crc32", .start = start, .length = length, .gaps = gaps, .ngaps = n};
	be32 v = be32_put(crc_without(start, length, gaps, n) ^ wrong);

	memcpy(s.value, v.b, 4);
	snprintf(s.what, sizeof s.what, "%s", what);
	CHECK(image_add_sum(&image, &s) == 0);
}

static void reset(void)
{
	free(image.sums);
	image.sums = NULL;
	image.nsums = 0;
	told = same = 0;
	order[0] = '\0';
}

static int verify(struct platter_error *err)
{
	struct platter_verify how = {.part = PLATTER_PART_ALL, .tell = tell};

	return platter_verify(&p, &how, NULL, err);
}

static void test_ranges(void)
{
	static const struct image_gap gaps[] = {{100, 50},
	                                        {150, 1},
	                                        {1048000, 2000},
	                                        {2097152, 1048576}};
	static const struct image_gap all[] = {{1000, 500}};
	struct platter_error err;

	reset();
	add("whole", 0, SIZE, NULL, 0, 0);
	add("wrong", 0, SIZE, NULL, 0, 1);
	add("empty", 77, 0, NULL, 0, 0);
	add("byte", SIZE - 1, 1, NULL, 0, 0);
	add("gaps", 3, SIZE - 9, gaps, 4, 0);
	add("nothing", 1000, 500, all, 1, 0);
	add("over", 1048575, 1048578, NULL, 0, 0);
	add("in", 1048576, 3, NULL, 0, 0);
	CHECK(verify(&err) == 0);
	CHECK(told == 8 && same == 7);
	/* As they end; of those that end at one place, as they begin. */
	CHECK(strcmp(order, "empty nothing in over gaps whole wrong byte ") == 0);
}

/* What nothing covers is not read. */
static void test_apart(void)
{
	struct platter_error err;

	reset();
	add("a", 512, 512, NULL, 0, 0);
	add("b", SIZE - 4096, 4096, NULL, 0, 0);
	CHECK(verify(&err) == 0);
	CHECK(told == 2 && same == 2);
}

static void test_dc42(void)
{
	struct image_sum s = {.digest = "dc42", .start = 1, .length = 0x200001 & ~1u};
	struct platter_error err;
	uint32_t sum = 0;
	be32 v;

	for (uint64_t i = s.start; i < s.start + s.length; i += 2) {
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
		sum = sum >> 1 | sum << 31;
	}
	v = be32_put(sum);
	memcpy(s.value, v.b, 4);
	reset();
	CHECK(image_add_sum(&image, &s) == 0);
	CHECK(verify(&err) == 0);
	CHECK(told == 1 && same == 1);
}

static void refused(int code, const char *text)
{
	struct platter_error err;

	CHECK(verify(&err) == -code);
	CHECK(strstr(err.text, text) != NULL);
}

static void test_refused(void)
{
	static const struct image_gap outside[] = {{10, 5}};
	static const struct image_gap back[] = {{20, 5}, {18, 1}};
	struct image_sum s = {.digest = "crc32", .start = SIZE, .length = 1};

	reset();
	CHECK(image_add_sum(&image, &s) == 0);
	refused(EINVAL, "and the disk ends at 5242880");
	reset();
	s = (struct image_sum){.digest = "rot13", .length = 1};
	CHECK(image_add_sum(&image, &s) == 0);
	refused(EINVAL, "rot13: no such checksum");
	reset();
	s = (struct image_sum){.digest = "crc32", .length = 12, .gaps = outside, .ngaps = 1};
	CHECK(image_add_sum(&image, &s) == 0);
	refused(EINVAL, "leaves out is not in order");
	reset();
	s = (struct image_sum){.digest = "crc32", .length = 100, .gaps = back, .ngaps = 2};
	CHECK(image_add_sum(&image, &s) == 0);
	refused(EINVAL, "leaves out is not in order");
	reset();
	for (int i = 0; i < 65; i++)
		add("many", 5, 10, NULL, 0, 0);
	refused(E2BIG, "more than 64 checksums are of the byte at 5");
	reset();
}

int main(void)
{
	struct dev *disk;

	bytes = malloc(SIZE);
	CHECK(bytes != NULL);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = i / 100000 % 3 == 1 ? 0 : (uint8_t)(i * 2654435761u >> 13);
	CHECK(dev_memory(bytes, SIZE, false, &disk) == 0);
	image.disk = p.image = p.disk = disk;
	test_ranges();
	test_apart();
	test_dc42();
	test_refused();
	dev_unref(disk);
	free(bytes);
	return 0;
}
