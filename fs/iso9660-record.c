/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directory records of ISO 9660 (ECMA-119 4th edition, sections 6.8.1, 7.5, 7.6 and 9.1; Joliet
 * Specification): walking over them, their names and their dates. Rock Ridge's part of a record
 * is in iso9660-susp.c.
 */
#include "config.h"

#include "iso9660.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* A walk reads little at first, because most directories are small. */
#define WINDOW_FIRST (2 * ISO_SECTOR)
#define WINDOW_MAX   (32 * ISO_SECTOR)

const uint8_t *iso_system_use(const struct iso_record *rec, size_t *len)
{
	size_t at = sizeof *rec + rec->length_of_file_identifier;

	/* What follows begins at an even offset. */
	at += at & 1;
	*len = at < rec->length ? rec->length - at : 0;
	return *len ? (const uint8_t *)rec + at : NULL;
}

uint64_t iso_data_start(const struct iso *iso, const struct iso_record *rec)
{
	return ((uint64_t)both32_get(rec->location_of_extent) + rec->extended_attribute_length) *
	       iso->block;
}

/* Whether the len bytes at p begin with a whole record. */
static bool record_ok(const uint8_t *p, size_t len)
{
	const struct iso_record *rec = (const struct iso_record *)p;

	return len > sizeof *rec && rec->length > sizeof *rec && rec->length <= len &&
	       rec->length_of_file_identifier != 0 &&
	       rec->length_of_file_identifier <= rec->length - sizeof *rec;
}

int iso_record_read(struct dev *dev, uint64_t off, uint8_t buf[ISO_RECORD_MAX])
{
	uint64_t len = min64(ISO_RECORD_MAX, ISO_SECTOR - off % ISO_SECTOR);
	int r;

	if (off >= dev->size)
		return -EIO;
	len = min64(len, dev->size - off);
	r = dev_pread(dev, buf, len, off);
	if (r)
		return r;
	return record_ok(buf, len) ? 0 : -EIO;
}

void iso_walk_begin(struct iso_walk *walk, struct dev *dev, uint64_t pos, uint64_t end)
{
	*walk = (struct iso_walk){
		.dev = dev,
		.pos = pos,
		.end = end,
		.window_next = WINDOW_FIRST,
	};
}

void iso_walk_end(struct iso_walk *walk)
{
	free(walk->window);
	walk->window = NULL;
}

/* See that the bytes from pos to the end of its sector are in the window. */
static int load(struct iso_walk *walk, uint64_t sector_end)
{
	uint64_t end;
	int r;

	if (walk->pos >= walk->window_off && sector_end - walk->window_off <= walk->window_len)
		return 0;
	if (!walk->window) {
		walk->window = malloc(WINDOW_MAX);
		if (!walk->window)
			return -ENOMEM;
	}
	end = min64(align_down(walk->pos, ISO_SECTOR) + walk->window_next, walk->end);
	walk->window_off = walk->pos;
	walk->window_len = end - walk->pos;
	walk->window_next = min64(2 * walk->window_next, WINDOW_MAX);
	r = dev_pread(walk->dev, walk->window, walk->window_len, walk->pos);
	if (r && end > sector_end) {
		/* One bad sector must not take its neighbours with it. */
		walk->window_len = sector_end - walk->pos;
		r = dev_pread(walk->dev, walk->window, walk->window_len, walk->pos);
	}
	if (r)
		walk->window_len = 0;
	return r;
}

int iso_walk_next(struct iso_walk *walk, const struct iso_record **rec, uint64_t *off)
{
	uint64_t sector_end;
	const uint8_t *p;
	int r;

	for (;;) {
		if (walk->pos >= walk->end)
			return 0;
		/* A record ends in the sector that it begins in (6.8.1.1). */
		sector_end = min64(align_down(walk->pos, ISO_SECTOR) + ISO_SECTOR, walk->end);
		r = load(walk, sector_end);
		if (r) {
			walk->pos = r == -ENOMEM ? walk->end : sector_end;
			return r;
		}
		p = walk->window + (walk->pos - walk->window_off);
		if (p[0] != 0)
			break;
		walk->pos = sector_end;
	}
	if (!record_ok(p, sector_end - walk->pos)) {
		walk->pos = sector_end;
		return -EIO;
	}
	*rec = (const struct iso_record *)p;
	*off = walk->pos;
	walk->pos += p[0];
	return 1;
}

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return c == ';' || c == '/' ? '.' : c;
}

size_t iso_identifier_name(const struct iso *iso, const struct iso_record *rec, char *name)
{
	size_t len = rec->length_of_file_identifier;

	if (iso->tree == ISO_TREE_JOLIET)
		len = text_from_utf16(rec->file_identifier, len / 2, true, name, ISO_NAME_MAX);
	else
		memcpy(name, rec->file_identifier, len);
	/*
	 * ";1" says nothing and goes, with the dot that 7.5.1 wants even where no extension
	 * follows it. Any other version stays, so that two of one file keep two names.
	 */
	if (len > 2 && name[len - 2] == ';' && name[len - 1] == '1') {
		len -= 2;
		if (len > 1 && name[len - 1] == '.')
			len--;
	}
	if (iso->lower && iso->tree != ISO_TREE_JOLIET)
		for (size_t i = 0; i < len; i++)
			name[i] = lower(name[i]);
	return len;
}

/* Days from 1970-01-01 in the Gregorian calendar. */
static int64_t days(int year, int month, int day)
{
	/* Years that begin in March have the leap day at their end. */
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400, of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
	int year, month, day, hour, minute, second, hundredth;
	int8_t zone; /* quarters of an hour east of Greenwich */
};

static struct timespec date_time(const struct date *d)
{
	int64_t s;

	if (d->month < 1 || d->month > 12 || d->day < 1 || d->day > 31 || d->hour > 23 ||
	    d->minute > 59 || d->second > 60)
		return (struct timespec){0};
	s = days(d->year, d->month, d->day) * 86400 + d->hour * 3600 + d->minute * 60 + d->second;
	if (d->zone >= -48 && d->zone <= 52)
		s -= d->zone * 900;
	return (struct timespec){.tv_sec = s, .tv_nsec = d->hundredth * 10000000L};
}

struct timespec iso_time_short(const uint8_t t[7])
{
	return date_time(&(struct date){
		.year = 1900 + t[0],
		.month = t[1],
		.day = t[2],
		.hour = t[3],
		.minute = t[4],
		.second = t[5],
		.zone = (int8_t)t[6],
	});
}

/* A decimal number of n digits, -1 when it is none. */
static int digits(const uint8_t *p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

struct timespec iso_time_long(const uint8_t t[17])
{
	struct date d = {
		.year = digits(t, 4),
		.month = digits(t + 4, 2),
		.day = digits(t + 6, 2),
		.hour = digits(t + 8, 2),
		.minute = digits(t + 10, 2),
		.second = digits(t + 12, 2),
		.hundredth = digits(t + 14, 2),
		.zone = (int8_t)t[16],
	};

	if (d.year < 0 || d.hour < 0 || d.minute < 0 || d.second < 0)
		return (struct timespec){0};
	if (d.hundredth < 0)
		d.hundredth = 0;
	return date_time(&d);
}
