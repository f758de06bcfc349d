/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that was cut into segments, which are called NAME.001, NAME.002 ... (or from NAME.000 on;
 * with three to five digits), or NAME.aa, NAME.ab ... as split(1) does (two or three letters). Put
 * together again they are a raw disk, or a container of any other format: Clonezilla cuts
 * compressed images so.
 *
 * There is nothing in the files to know this by, only that the name of the one that is opened is
 * the first of such a row, and that the second is there too. Then the first alone is not the image,
 * so what is missing in the row is an error, and so is opening another than the first. --format raw
 * opens any single one. Two digits are not taken for a number: names of versions end like that.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "ondisk.h"

/* Numbers up to that are looked at. */
#define NUMBER_MAX 99999u

#define NAME_SIZE 256

/* A name taken apart. */
struct row {
	char name[NAME_SIZE];
	size_t stem;      /* bytes before the number */
	size_t width;     /* of the number */
	char zero;        /* '0', 'a' or 'A': what the digits begin with */
	uint32_t base;    /* 10 or 26 */
	uint32_t number;  /* in the name, counted from 0 */
	uint32_t first;   /* 0 or 1 */
	uint8_t *present; /* a bit for each number that is in the folder */
};

struct split {
	size_t count;
	struct dev **devs;
	uint64_t *starts; /* count + 1 of them */
};

static bool parse_digits(struct row *row, const char *digits)
{
	row->number = 0;
	for (size_t i = 0; i < row->width; i++) {
		unsigned d = (unsigned char)digits[i] - (unsigned char)row->zero;

		if (d >= row->base)
			return false;
		row->number = row->number * row->base + d;
	}
	return true;
}

/* Whether name may be one of a row. */
static bool parse_name(const char *name, struct row *row)
{
	const char *dot = strrchr(name, '.');
	size_t len = strlen(name);

	if (!dot || dot == name || len >= sizeof row->name)
		return false;
	memcpy(row->name, name, len + 1);
	row->stem = (size_t)(dot + 1 - name);
	row->width = len - row->stem;
	row->zero = dot[1] >= 'a' ? 'a' : dot[1] >= 'A' ? 'A' : '0';
	row->base = row->zero == '0' ? 10 : 26;
	if (row->base == 10 ? row->width < 3 || row->width > 5 : row->width < 2 || row->width > 3)
		return false;
	return parse_digits(row, dot + 1);
}

/* The name of segment n, into a buffer that row->name fits into; false past the last number. */
static bool make_name(const struct row *row, uint32_t n, char *out)
{
	memcpy(out, row->name, sizeof row->name);
	for (size_t i = row->stem + row->width; i-- > row->stem; n /= row->base)
		out[i] = (char)((unsigned char)row->zero + n % row->base);
	return n == 0;
}

static bool is_present(const struct row *row, uint32_t n)
{
	return n <= NUMBER_MAX && (row->present[n / 8] >> n % 8 & 1);
}

static int note_present(void *arg, const char *name)
{
	struct row *row = arg, other;

	if (parse_name(name, &other) && other.stem == row->stem && other.width == row->width &&
	    other.zero == row->zero && memcmp(other.name, row->name, row->stem) == 0 &&
	    other.number <= NUMBER_MAX)
		row->present[other.number / 8] |= (uint8_t)(1u << other.number % 8);
	return 0;
}

/*
 * The number behind n that is in the folder where n itself is not; 0: none. Letters are also what
 * other files are called by (NAME.gz), so only the very next one counts.
 */
static uint32_t next_present(const struct row *row, uint32_t n)
{
	uint32_t last = row->base == 10 ? NUMBER_MAX : n + 1;

	for (uint32_t i = n + 1; i <= last; i++)
		if (is_present(row, i))
			return i;
	return 0;
}

static int gap(const struct row *row, uint32_t n, uint32_t next, struct platter_error *err)
{
	char name[NAME_SIZE], later[NAME_SIZE];

	make_name(row, n, name);
	make_name(row, next, later);
	return err_set(err, ENOENT,
	               "segment \"%s\" is not there, but \"%s\" is (--format raw opens the first "
	               "one alone)",
	               name, later);
}

/* How many segments there are, when the file that was opened is the first one. */
static int count_segments(const struct row *row, size_t *count, struct platter_error *err)
{
	uint32_t n = row->first, next;

	while (is_present(row, n))
		n++;
	next = next_present(row, n);
	*count = n - row->first;
	if (next)
		return gap(row, n, next, err);
	return *count > 1 ? 0 : DRIVER_NOT_MINE;
}

static int check_place(struct row *row, struct platter_error *err)
{
	char first[NAME_SIZE];

	row->first = row->base == 10 && !is_present(row, 0) ? 1 : 0;
	if (row->number == row->first)
		return 0;
	if (row->number < row->first || !is_present(row, row->first) ||
	    !is_present(row, row->number - 1))
		return DRIVER_NOT_MINE;
	make_name(row, row->first, first);
	return err_set(err, EINVAL,
	               "segment %" PRIu32 " of a split image, open the first one, \"%s\" "
	               "(--format raw opens this one alone)",
	               row->number - row->first + 1, first);
}

static void split_close(void *self)
{
	struct split *s = self;

	free(s->devs);
	free(s->starts);
	free(s);
}

static int add_segment(struct split *s, size_t i, struct dev *dev, struct image *image,
                       const char *name, struct platter_error *err)
{
	if (dev->size == 0)
		return err_set(err, EINVAL, "segment \"%s\": 0 bytes, expected at least 1", name);
	if (!ckd_add64(&s->starts[i + 1], s->starts[i], dev->size) ||
	    s->starts[i + 1] > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "segment \"%s\": the image gets larger than %" PRIu64,
		               name, DEV_SIZE_MAX);
	/* All are as large as the first, but for the last, which has the rest. */
	if (i > 0 &&
	    (i + 1 < s->count ? dev->size != s->devs[0]->size : dev->size > s->devs[0]->size))
		image_note(image,
		           "segment \"%s\" has %" PRIu64 " bytes, the first one has %" PRIu64, name,
		           dev->size, s->devs[0]->size);
	s->devs[i] = dev;
	return 0;
}

static int open_segments(struct split *s, const struct row *row, struct image *image,
                         struct platter_error *err)
{
	char name[NAME_SIZE];
	int r = add_segment(s, 0, image->file, image, row->name, err);

	for (size_t i = 1; i < s->count && !r; i++) {
		struct dev *dev;

		if (!make_name(row, row->first + (uint32_t)i, name))
			return err_set(err, E2BIG, "more than %zu segments", i);
		r = chain_open(image->chain, "segment", name, &dev, err);
		if (!r)
			r = add_segment(s, i, dev, image, name, err);
	}
	return r;
}

static int open_row(struct image *image, const struct row *row, struct platter_error *err)
{
	struct split *s;
	size_t count;
	int r = count_segments(row, &count, err);

	if (r)
		return r;
	if (count > CHAIN_FILES_MAX)
		return err_set(err, E2BIG, "%zu segments, at most %d", count, CHAIN_FILES_MAX);
	s = calloc(1, sizeof *s);
	if (!s)
		return err_set(err, ENOMEM, "no memory");
	s->count = count;
	s->devs = calloc(count, sizeof *s->devs);
	s->starts = calloc(count + 1, sizeof *s->starts);
	r = s->devs && s->starts ? open_segments(s, row, image, err)
	                         : err_set(err, ENOMEM, "no memory");
	if (r) {
		split_close(s);
		return r;
	}
	image->self = s;
	image->size = s->starts[count];
	return 0;
}

static int split_open(struct image *image, struct platter_error *err)
{
	struct row row;
	int r;

	/* A name says nothing of what is inside the file. */
	if (image->outer || image->file != chain_file(image->chain, 0) ||
	    !parse_name(chain_name(image->chain), &row))
		return DRIVER_NOT_MINE;
	row.present = calloc(NUMBER_MAX / 8 + 1, 1);
	if (!row.present)
		return err_set(err, ENOMEM, "no memory");
	/* Where the folder may not be looked into (--chain=no), a segment is a file. */
	r = chain_list(image->chain, "", note_present, &row, err) ? DRIVER_NOT_MINE : 0;
	if (!r)
		r = check_place(&row, err);
	if (!r)
		r = open_row(image, &row, err);
	free(row.present);
	return r;
}

static int split_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct split *s = self;
	size_t low = 0, high = s->count;

	(void)node;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (s->starts[middle] <= off)
			low = middle;
		else
			high = middle;
	}
	*run = (struct run){
		.kind = RUN_RAW,
		.length = s->starts[low + 1] - off,
		.dev = s->devs[low],
		.offset = off - s->starts[low],
	};
	return 0;
}

const struct format_driver format_split_raw = {
	.name = "split-raw",
	.id = 14,
	.wraps = true,
	.open = split_open,
	.map = split_map,
	.close = split_close,
};
