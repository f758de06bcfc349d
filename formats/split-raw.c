/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that was cut into segments, which are called NAME.001, NAME.002 ... (or from NAME.000 on;
 * with three to five digits, and one more once those are used up), or NAME.aa, NAME.ab ... as
 * split(1) does (two or three letters, or hexadecimal digits). Put together again they are a raw
 * disk, or a container of any other format: Clonezilla cuts compressed images so.
 *
 * There is nothing in the files to know this by, only that the name of the one that is opened is
 * the first of such a row, and that the second is there too. Then the first alone is not the image,
 * so what is missing in the row is an error, and so is opening another than the first. --format raw
 * opens any single one. Two digits are not taken for a number: names of versions end like that.
 *
 * Unless it was told how many letters to use, split(1) does not go on to NAME.za after NAME.yz, but
 * to NAME.zaaa, so that the names sort. After NAME.zyzz would come NAME.zzaaaa, far behind the last
 * segment that an image may have.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers.h"
#include "ondisk.h"

/* Numbers below that are looked at: five hexadecimal digits. */
#define NUMBERS_END 0x100000u

#define NAME_SIZE 256

/* What split(1) has in two letters, and then in four that begin with a z. */
#define TWO_LETTERS  (25u * 26)
#define FOUR_LETTERS (25u * 26 * 26)

/* How the numbers are written. */
enum kind {
	KIND_PLAIN, /* as many digits or letters as the first has */
	KIND_OTHER, /* hexadecimal digits; letters that become more on the way */
	KINDS
};

/* A name taken apart. */
struct row {
	char name[NAME_SIZE];
	size_t stem;   /* bytes before the number */
	size_t width;  /* of the first number */
	char zero;     /* '0', 'a' or 'A': what the digits begin with */
	uint32_t base; /* 10 or 26 */
	enum kind kind;
	uint32_t number;         /* in the name, counted from 0 */
	uint32_t first;          /* 0 or 1 */
	uint8_t *present[KINDS]; /* a bit for each number that is in the folder */
};

struct split {
	size_t count;
	struct dev **devs;
	uint64_t *starts; /* count + 1 of them */
};

/* len digits of some base, which fit. */
static bool parse_digits(const char *digits, size_t len, char zero, uint32_t base, uint32_t *n)
{
	*n = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned d = (unsigned char)digits[i] - (unsigned char)zero;

		if (base == 16 && d > 9)
			d = digits[i] >= 'a' ? (unsigned char)digits[i] - (unsigned)'a' + 10 : 16;
		if (d >= base)
			return false;
		*n = *n * base + d;
	}
	return true;
}

/* The number that such a suffix is in a row. */
static bool parse_number(const struct row *row, enum kind kind, const char *suffix, uint32_t *n)
{
	size_t len = strlen(suffix);

	if (kind == KIND_PLAIN) {
		/* 1000 follows 999. */
		bool longer = row->base == 10 && len > row->width && len <= 5 && suffix[0] != '0';

		return (len == row->width || longer) &&
		       parse_digits(suffix, len, row->zero, row->base, n);
	}
	if (row->base == 10)
		return len == row->width && parse_digits(suffix, len, '0', 16, n);
	if (row->width != 2 || row->zero != 'a')
		return false;
	if (len == 2)
		return parse_digits(suffix, len, 'a', 26, n) && *n < TWO_LETTERS;
	if (len != 4 || suffix[0] != 'z' || !parse_digits(suffix + 1, 3, 'a', 26, n) ||
	    *n >= FOUR_LETTERS)
		return false;
	*n += TWO_LETTERS;
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
	if (row->base == 26 && row->width == 4)
		row->width = 2;
	if (row->base == 10 ? row->width < 3 || row->width > 5 : row->width < 2 || row->width > 3)
		return false;
	for (int kind = KIND_PLAIN; kind < KINDS; kind++) {
		row->kind = (enum kind)kind;
		if (parse_number(row, row->kind, dot + 1, &row->number))
			return true;
	}
	return false;
}

/* The name of segment n, into NAME_SIZE bytes; false past the last one. */
static bool make_name(const struct row *row, uint32_t n, char *out)
{
	bool wider = row->kind == KIND_OTHER && row->base == 26 && n >= TWO_LETTERS;
	size_t width = wider ? 3 : row->width, room = NAME_SIZE - row->stem;
	char *suffix = out + row->stem;

	memcpy(out, row->name, row->stem);
	if (row->base == 10) {
		int len = snprintf(suffix, room, row->kind == KIND_PLAIN ? "%0*u" : "%0*x",
		                   (int)width, n);

		return (size_t)len < room && len <= 5 &&
		       (row->kind == KIND_PLAIN || (size_t)len == width);
	}
	if (wider) {
		if (n >= TWO_LETTERS + FOUR_LETTERS || room < 5)
			return false;
		*suffix++ = 'z';
		n -= TWO_LETTERS;
	}
	suffix[width] = '\0';
	for (size_t i = width; i-- > 0; n /= 26)
		suffix[i] = (char)((unsigned char)row->zero + n % 26);
	return n == 0;
}

static bool has(const struct row *row, enum kind kind, uint32_t n)
{
	return n < NUMBERS_END && (row->present[kind][n / 8] >> n % 8 & 1);
}

static bool is_present(const struct row *row, uint32_t n)
{
	return has(row, row->kind, n);
}

static int note_present(void *arg, const char *name)
{
	struct row *row = arg;
	uint32_t n;

	if (strncmp(name, row->name, row->stem) != 0)
		return 0;
	for (int kind = KIND_PLAIN; kind < KINDS; kind++)
		if (parse_number(row, (enum kind)kind, name + row->stem, &n))
			row->present[kind][n / 8] |= (uint8_t)(1u << n % 8);
	return 0;
}

/* How the row is written: what follows 9, or yz, tells, be the very next one there or not. */
static int choose_kind(struct row *row, struct platter_error *err)
{
	uint32_t next = row->base == 10 ? 10 : TWO_LETTERS, end = row->base == 10 ? 16 : next + 2;
	char plain[NAME_SIZE], other[NAME_SIZE];

	row->kind = KIND_PLAIN;
	make_name(row, next, plain);
	for (uint32_t n = next; n < end; n++)
		if (has(row, KIND_OTHER, n))
			row->kind = KIND_OTHER;
	make_name(row, next, other);
	if (row->kind == KIND_OTHER && row->base == 26 && has(row, KIND_PLAIN, next))
		return err_set(err, EINVAL,
		               "\"%s\" and \"%s\" are both there, and only one can be a segment",
		               plain, other);
	return parse_number(row, row->kind, row->name + row->stem, &row->number) ? 0
	                                                                         : DRIVER_NOT_MINE;
}

/*
 * The number behind n that is in the folder where n itself is not; 0: none. Letters are also what
 * other files are called by (NAME.gz), so only the very next one counts.
 */
static uint32_t next_present(const struct row *row, uint32_t n)
{
	uint32_t end = row->base == 10 ? NUMBERS_END : n + 2;

	for (uint32_t i = n + 1; i < end; i++)
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

/* What stands beside the file. */
static int look_around(struct image *image, struct row *row, struct platter_error *err)
{
	int r = chain_list(image->chain, "", note_present, row, err);

	/* Where the folder is not to be looked into (--chain=no), a segment is a file; so is what
	 * has letters that are no first segment's, such as NAME.img. */
	if (r == -EPERM || (r && row->base == 26 && row->number))
		return DRIVER_NOT_MINE;
	if (r)
		err_prefix(err, "its other segments (--format raw opens it alone)");
	return r;
}

static int split_open(struct image *image, struct platter_error *err)
{
	uint8_t *present;
	struct row row;
	int r;

	/* A name says nothing of what is inside the file. */
	if (image->outer || image->file != chain_file(image->chain, 0) ||
	    !parse_name(chain_name(image->chain), &row))
		return DRIVER_NOT_MINE;
	present = calloc(KINDS, NUMBERS_END / 8);
	if (!present)
		return err_set(err, ENOMEM, "no memory");
	for (int kind = KIND_PLAIN; kind < KINDS; kind++)
		row.present[kind] = present + (size_t)kind * (NUMBERS_END / 8);
	r = look_around(image, &row, err);
	if (!r)
		r = choose_kind(&row, err);
	if (!r)
		r = check_place(&row, err);
	if (!r)
		r = open_row(image, &row, err);
	free(present);
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
