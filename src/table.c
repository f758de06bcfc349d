/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that a scan fills in, and the checks on it. Numbers here are as the image records
 * them: an end is worked out only by subtraction or saturates, and everything is sorted once, so
 * that the largest table costs n log n.
 */
#include "config.h"

#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

#define PROBLEMS_MAX 32

int table_add(struct table *table, const struct partition *part)
{
	if (table->nparts >= TABLE_ENTRIES_MAX)
		return -E2BIG;
	if (table->nparts == table->allocated) {
		size_t n = table->allocated ? table->allocated * 2 : 16;
		struct partition *parts = reallocarray(table->parts, n, sizeof *parts);

		if (!parts)
			return -ENOMEM;
		table->parts = parts;
		table->allocated = n;
	}
	table->parts[table->nparts++] = *part;
	return 0;
}

/* Without memory a remark is dropped: the table itself still stands. */
void table_problem(struct table *table, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	if (table->nproblems >= PROBLEMS_MAX)
		return;
	if (!table->problems) {
		table->problems = calloc(PROBLEMS_MAX, sizeof *table->problems);
		if (!table->problems)
			return;
	}
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n >= 0)
		table->problems[table->nproblems++] = text;
}

void partition_problem(struct partition *part, const char *fmt, ...)
{
	va_list ap;

	if (part->problem[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(part->problem, sizeof part->problem, fmt, ap);
	va_end(ap);
}

static uint64_t end_of(const struct partition *part)
{
	return part->size > UINT64_MAX - part->start ? UINT64_MAX : part->start + part->size;
}

static void check_range(struct partition *part, uint64_t disk_size)
{
	part->usable = 0;
	if (part->size == 0)
		return;
	if (part->start >= disk_size) {
		partition_problem(part, "starts at byte %" PRIu64 ", the disk has %" PRIu64,
		                  part->start, disk_size);
		return;
	}
	part->usable = min64(part->size, disk_size - part->start);
	if (part->usable < part->size)
		partition_problem(part,
		                  "%" PRIu64 " bytes from byte %" PRIu64 ", the disk has %" PRIu64,
		                  part->size, part->start, disk_size);
}

static int by_start(const void *a, const void *b)
{
	const struct partition *x = *(struct partition *const *)a;
	const struct partition *y = *(struct partition *const *)b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/*
 * In order of their starts, an entry overlaps some earlier one exactly when it starts before the
 * furthest end so far, and whoever reaches that far is one that it overlaps.
 */
static void mark_overlaps(struct partition *const *sorted, size_t n)
{
	struct partition *far = NULL;

	for (size_t i = 0; i < n; i++) {
		struct partition *part = sorted[i];

		if (far && part->start < end_of(far)) {
			partition_problem(part, "overlaps %" PRIu32, far->number);
			partition_problem(far, "overlaps %" PRIu32, part->number);
		}
		if (!far || end_of(part) > end_of(far))
			far = part;
	}
}

/*
 * Whether an entry may lie inside a container. Only MBR has entries beside its containers, and
 * tells them by number; elsewhere a container (BSD's "c") is there for all.
 */
static bool is_contained(const struct table *table, const struct partition *part)
{
	if (part->container)
		return false;
	return part->number > 4 || !table->scheme || strcmp(table->scheme, "mbr") != 0;
}

/* The non-empty entries that take part in one check, into list; their number. */
static size_t pick(const struct table *table, bool containers, struct partition **list)
{
	size_t n = 0;

	for (size_t i = 0; i < table->nparts; i++) {
		struct partition *part = &table->parts[i];

		if (part->size == 0)
			continue;
		if (containers ? !is_contained(table, part) : !part->container)
			list[n++] = part;
	}
	qsort(list, n, sizeof *list, by_start);
	return n;
}

static void add_gap(struct table *table, uint64_t start, uint64_t end)
{
	if (start < end)
		table->gaps[table->ngaps++] = (struct table_gap){start, end - start};
}

/* sorted holds every non-container; table->gaps has room for one gap more than that. */
static void find_gaps(struct table *table, struct partition *const *sorted, size_t n, uint64_t size)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < n && covered < size; i++) {
		if (sorted[i]->usable == 0)
			continue;
		add_gap(table, covered, sorted[i]->start);
		covered = max64(covered, sorted[i]->start + sorted[i]->usable);
	}
	add_gap(table, covered, size);
}

int table_check(struct table *table, uint64_t disk_size)
{
	struct partition **list;
	size_t n;

	free(table->gaps);
	table->ngaps = 0;
	table->gaps = calloc(table->nparts + 1, sizeof *table->gaps);
	list = calloc(table->nparts + 1, sizeof *list);
	if (!table->gaps || !list) {
		free(list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->nparts; i++)
		check_range(&table->parts[i], disk_size);

	n = pick(table, true, list);
	mark_overlaps(list, n);
	n = pick(table, false, list);
	mark_overlaps(list, n);
	find_gaps(table, list, n, disk_size);
	free(list);
	return 0;
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->nproblems; i++)
		free(table->problems[i]);
	free(table->problems);
	free(table->parts);
	free(table->gaps);
	memset(table, 0, sizeof *table);
}
