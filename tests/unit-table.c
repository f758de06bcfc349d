/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h: what scans report, and what is worked out about it. Random tables on a disk of a few
 * bytes are compared with the plain definition of overlap and gap, byte by byte.
 */
#include "config.h"

#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testdev.h"

#define DISK 48

static void add(struct table *t, uint32_t number, uint64_t start, uint64_t size, bool container)
{
	struct partition part = {
		.number = number,
		.start = start,
		.size = size,
		.container = container,
	};

	CHECK(table_add(t, &part) == 0);
}

static void add_is_bounded(void)
{
	struct partition part = {.number = 1, .name = "kept"};
	struct table t = {0};

	for (int i = 0; i < TABLE_ENTRIES_MAX; i++)
		CHECK(table_add(&t, &part) == 0);
	CHECK(table_add(&t, &part) == -E2BIG);
	CHECK(t.nparts == TABLE_ENTRIES_MAX);
	CHECK(strcmp(t.parts[TABLE_ENTRIES_MAX - 1].name, "kept") == 0);
	table_clear(&t);
	CHECK(t.nparts == 0 && !t.parts && !t.scheme);
}

static void problems_are_bounded(void)
{
	struct partition part = {0};
	struct table t = {0};

	for (int i = 0; i < 100; i++)
		table_problem(&t, "number %d", i);
	CHECK(t.nproblems == 32);
	CHECK(strcmp(t.problems[0], "number 0") == 0);
	CHECK(strcmp(t.problems[31], "number 31") == 0);
	table_clear(&t);
	CHECK(t.nproblems == 0);

	partition_problem(&part, "%0300d", 1);
	CHECK(strlen(part.problem) == sizeof part.problem - 1);
	partition_problem(&part, "second");
	CHECK(part.problem[0] == '0');
}

static void empty_table_is_one_gap(void)
{
	struct table t = {0};

	CHECK(table_check(&t, 1000) == 0);
	CHECK(t.ngaps == 1 && t.gaps[0].start == 0 && t.gaps[0].size == 1000);
	/* Checking again starts afresh. */
	CHECK(table_check(&t, 0) == 0);
	CHECK(t.ngaps == 0);
	table_clear(&t);
}

static void ranges_are_cut_to_the_disk(void)
{
	struct table t = {0};

	add(&t, 1, 10, 90, false);
	add(&t, 2, 100, 101, false);
	add(&t, 3, 200, 1, false);
	add(&t, 4, 0, 0, false);
	add(&t, 5, UINT64_MAX, UINT64_MAX, false);
	add(&t, 6, 500, 0, false);
	CHECK(table_check(&t, 200) == 0);
	CHECK(t.parts[0].usable == 90 && !t.parts[0].problem[0]);
	CHECK(t.parts[1].usable == 100);
	CHECK(strcmp(t.parts[1].problem, "101 bytes from byte 100, the disk has 200") == 0);
	CHECK(t.parts[2].usable == 0);
	CHECK(strstr(t.parts[2].problem, "byte 200, the disk has 200"));
	CHECK(t.parts[3].usable == 0 && !t.parts[3].problem[0]);
	CHECK(t.parts[4].usable == 0 && t.parts[4].problem[0]);
	CHECK(t.parts[5].usable == 0 && !t.parts[5].problem[0]);
	CHECK(t.ngaps == 1 && t.gaps[0].start == 0 && t.gaps[0].size == 10);
	table_clear(&t);
}

/* A driver's own word about an entry comes first. */
static void first_problem_is_kept(void)
{
	struct table t = {0};

	add(&t, 1, 0, 100, false);
	partition_problem(&t.parts[0], "from the driver");
	CHECK(table_check(&t, 50) == 0);
	CHECK(strcmp(t.parts[0].problem, "from the driver") == 0);
	CHECK(t.parts[0].usable == 50);
	table_clear(&t);
}

static void container_covers_its_own(void)
{
	struct table t = {.scheme = "mbr"};

	add(&t, 1, 0, 10, false);
	add(&t, 2, 10, 90, true);
	add(&t, 5, 20, 30, false);
	add(&t, 6, 50, 10, false);
	CHECK(table_check(&t, 200) == 0);
	for (size_t i = 0; i < t.nparts; i++)
		CHECK(!t.parts[i].problem[0]);
	CHECK(t.ngaps == 2);
	CHECK(t.gaps[0].start == 10 && t.gaps[0].size == 10);
	CHECK(t.gaps[1].start == 60 && t.gaps[1].size == 140);
	table_clear(&t);

	/* A primary partition in it, or another container, is wrong. */
	t.scheme = "mbr";
	add(&t, 1, 20, 10, false);
	add(&t, 2, 10, 90, true);
	add(&t, 3, 90, 20, true);
	add(&t, 5, 40, 10, false);
	CHECK(table_check(&t, 200) == 0);
	CHECK(strcmp(t.parts[0].problem, "overlaps 2") == 0);
	CHECK(t.parts[1].problem[0]);
	CHECK(strcmp(t.parts[2].problem, "overlaps 2") == 0);
	CHECK(!t.parts[3].problem[0]);
	table_clear(&t);

	/* Elsewhere numbers say nothing about what lies inside. */
	t.scheme = "bsd";
	add(&t, 1, 20, 10, false);
	add(&t, 3, 0, 200, true);
	CHECK(table_check(&t, 200) == 0);
	CHECK(!t.parts[0].problem[0] && !t.parts[1].problem[0]);
	table_clear(&t);
}

/* ---- against the definition ---- */

static bool plain_overlap(const struct partition *a, const struct partition *b)
{
	if (a->size == 0 || b->size == 0)
		return false;
	if (a->container != b->container && (a->container ? b : a)->number > 4)
		return false;
	return a->start < b->start + b->size && b->start < a->start + a->size;
}

static void compare_overlaps(const struct table *t)
{
	for (size_t i = 0; i < t->nparts; i++) {
		const struct partition *a = &t->parts[i];
		bool overlaps = false, ends = a->usable == a->size;

		for (size_t k = 0; k < t->nparts; k++)
			overlaps = overlaps || (k != i && plain_overlap(a, &t->parts[k]));
		CHECK((a->problem[0] != '\0') == (overlaps || !ends));
		CHECK(!ends || strncmp(a->problem, "overlaps ", overlaps ? 9 : 0) == 0);
	}
}

static void compare_gaps(const struct table *t)
{
	bool covered[DISK] = {false}, gap[DISK] = {false};
	uint64_t before = 0;

	for (size_t i = 0; i < t->nparts; i++)
		for (uint64_t k = 0; k < t->parts[i].usable && !t->parts[i].container; k++)
			covered[t->parts[i].start + k] = true;
	for (size_t i = 0; i < t->ngaps; i++) {
		/* In order, not empty, and not touching: two such gaps would be one. */
		CHECK(t->gaps[i].size > 0 && (i == 0 || t->gaps[i].start > before));
		before = t->gaps[i].start + t->gaps[i].size;
		CHECK(before <= DISK);
		for (uint64_t k = t->gaps[i].start; k < before && k < DISK; k++)
			gap[k] = true;
	}
	for (size_t i = 0; i < DISK; i++)
		CHECK(gap[i] == !covered[i]);
}

static void random_tables(void)
{
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		struct table t = {.scheme = "mbr"};
		size_t n = (size_t)random() % 9;

		for (size_t i = 0; i < n; i++)
			add(&t, (uint32_t)i + 1, (uint64_t)random() % (DISK + 4),
			    (uint64_t)random() % 12, i < 4 && random() % 4 == 0);
		CHECK(table_check(&t, DISK) == 0);
		compare_overlaps(&t);
		compare_gaps(&t);
		table_clear(&t);
	}
}

/* The largest table, with everything inside everything, takes no time to speak of. */
static void large_table_is_quick(void)
{
	struct table t = {.scheme = "gpt"};
	clock_t begin = clock();

	for (uint64_t i = 0; i < TABLE_ENTRIES_MAX; i++)
		add(&t, (uint32_t)i + 1, i, 4 * (uint64_t)TABLE_ENTRIES_MAX - 2 * i, i % 2);
	CHECK(table_check(&t, UINT64_C(1) << 40) == 0);
	for (size_t i = 0; i < t.nparts; i++)
		CHECK(t.parts[i].problem[0]);
	CHECK(clock() - begin < 2 * CLOCKS_PER_SEC);
	table_clear(&t);
}

int main(void)
{
	add_is_bounded();
	problems_are_bounded();
	empty_table_is_one_gap();
	ranges_are_cut_to_the_disk();
	first_problem_is_kept();
	container_covers_its_own();
	random_tables();
	large_table_is_quick();
	return 0;
}
