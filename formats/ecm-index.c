/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one pass over an ECM file that finds its sectors; the head of ecm.c has the format.
 *
 * A disc of mode 1 is one record. One of mode 2 has two records for each sector, which would make
 * this read all of it. But such sectors carry their own address: when the one that should be n
 * sectors further on is found where it is if all between are of the same form, and its header says
 * that it is the n-th from here, they are (any other kind of sector in between would have shifted
 * it). So long stretches are measured in steps that double. What was not looked at here is looked
 * at when it is read: a sector that does not have its header where it should is an error then.
 */
#include "config.h"

#include "ecm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

/* What the pass may cost: all of an image of 100 MiB, or the stretches of any disc whose forms do
 * not change all the time. */
#define READ_BYTES_MAX ((uint64_t)112 << 20)
#define PROBES_MAX     40000u

/* Literal records before the first sector. */
#define LITERALS_MAX 64

#define WINDOW ((size_t)64 << 10)

/* Sectors in a row before steps double. */
#define STRIDE_FROM 24u

/* Output and stored length of the records' sectors. */
static const struct {
	uint32_t out, stored;
	uint8_t skip; /* of the stored bytes: address or subheader */
} types[4] = {
	{1, 1, 0},
	{CD_RAW_SECTOR, 3 + CD_DATA_SECTOR, 3},
	{2336, 4 + CD_DATA_SECTOR, 4},
	{2336, 4 + 2324, 4},
};

struct pass {
	struct ecm *ecm;
	struct dev *file;
	uint8_t *window;
	uint64_t window_off, window_len;
	uint64_t read;   /* bytes so far */
	unsigned probes; /* so far */
	uint64_t at;     /* in the file */
	uint64_t out;    /* bytes unpacked so far */
};

struct record {
	unsigned type;
	uint64_t count; /* 0: the end */
	uint64_t off;   /* of what it holds */
};

/* Bytes of the file through the window; NULL with *r set. */
static const uint8_t *look(struct pass *p, uint64_t off, size_t len, int *r,
                           struct platter_error *err)
{
	if (!range_ok(off, len, p->file->size)) {
		*r = err_set(err, EIO, "ends within a record: it has %llu bytes",
		             (unsigned long long)p->file->size);
		return NULL;
	}
	if (off < p->window_off || off + len > p->window_off + p->window_len) {
		p->window_off = off;
		p->window_len = min64(WINDOW, p->file->size - off);
		p->read += p->window_len;
		if (p->read > READ_BYTES_MAX) {
			*r = err_set(err, EFBIG,
			             "more than %llu MiB had to be read to find its sectors, whose "
			             "forms change too often; unecm unpacks it",
			             (unsigned long long)(READ_BYTES_MAX >> 20));
			return NULL;
		}
		*r = dev_pread(p->file, p->window, p->window_len, off);
		if (*r) {
			p->window_len = 0;
			err_set(err, -*r, "%s", strerror(-*r));
			return NULL;
		}
	}
	return p->window + (off - p->window_off);
}

/* The record at p->at, which moves on to what it holds. */
static int next_record(struct pass *p, struct record *record, struct platter_error *err)
{
	uint64_t count = 0;
	unsigned shift = 0;
	int r = 0;

	for (unsigned i = 0;; i++) {
		const uint8_t *b = look(p, p->at, 1, &r, err);

		if (!b)
			return r;
		p->at++;
		if (i == 0) {
			record->type = *b & 3;
			count = *b >> 2 & 31;
			shift = 5;
		} else {
			count |= (uint64_t)(*b & 127) << shift;
			shift += 7;
		}
		if (!(*b & 128))
			break;
		if (i == 4)
			return err_set(err, EIO, "the record at %llu has a count of too many bytes",
			               (unsigned long long)p->at);
	}
	record->off = p->at;
	record->count = count == UINT32_MAX ? 0 : count + 1;
	if (record->count > INT32_MAX)
		return err_set(err, EIO, "the record at %llu has a count of %llu, at most %d",
		               (unsigned long long)p->at, (unsigned long long)record->count,
		               INT32_MAX);
	/* An end has the sum of everything behind it. */
	if (!range_ok(p->at, record->count ? record->count * types[record->type].stored : 4,
	              p->file->size))
		return err_set(err, EIO, "ends within a record: it has %llu bytes",
		               (unsigned long long)p->file->size);
	return 0;
}

/* ---- stretches ---- */

/* Note that `sectors` more stand from s->off on; they may go on with the last stretch. */
static int add(struct ecm *ecm, const struct ecm_stretch *s, uint64_t sectors,
               struct platter_error *err)
{
	struct ecm_stretch *last = ecm->count ? &ecm->stretches[ecm->count - 1] : NULL;

	if (!sectors)
		return 0;
	if (!last || last->kind != s->kind || last->period != s->period || last->skip != s->skip ||
	    last->type != s->type ||
	    last->off + (ecm->sectors - last->first) * last->period != s->off) {
		struct ecm_stretch *more = ecm->stretches;

		if ((ecm->count & (ecm->count - 1)) == 0)
			more = reallocarray(more, ecm->count ? ecm->count * 2 : 1, sizeof *more);
		if (!more)
			return err_set(err, ENOMEM, "no memory");
		ecm->stretches = more;
		more[ecm->count] = *s;
		more[ecm->count++].first = ecm->sectors;
	}
	ecm->sectors += sectors;
	return 0;
}

static int out_of_step(const struct pass *p, struct platter_error *err)
{
	return err_set(err, EOPNOTSUPP,
	               "the record at %llu is out of step with sectors of %u bytes; unecm "
	               "unpacks it",
	               (unsigned long long)p->at, p->ecm->layout.stored);
}

/* Sectors of mode 1, or of 2336 bytes: one after the other without headers. */
static int add_coded(struct pass *p, const struct record *record, struct platter_error *err)
{
	struct ecm_stretch s = {
		.kind = ECM_CODED,
		.off = record->off,
		.period = types[record->type].stored,
		.skip = types[record->type].skip,
	};

	if (types[record->type].out != p->ecm->layout.stored || p->out % p->ecm->layout.stored)
		return out_of_step(p, err);
	return add(p->ecm, &s, record->count, err);
}

/* ---- mode 2 ---- */

bool ecm_head(const uint8_t p[ECM_HEAD_BYTES], unsigned type, uint64_t *address)
{
	/* A count of one is 0. */
	return p[0] == ECM_HEAD_RECORD && p[1 + 15] == 2 && p[17] == type &&
	       cd_header_address(p + 1, address);
}

/* Whether the n-th sector from off on is where it should be. */
static bool probe(struct pass *p, uint64_t off, uint64_t n, unsigned type, uint64_t address)
{
	uint32_t period = ECM_HEAD_BYTES + types[type].stored;
	uint8_t head[ECM_HEAD_BYTES];
	uint64_t found;

	p->probes++;
	return range_ok(off + n * period, period, p->file->size) &&
	       dev_pread(p->file, head, sizeof head, off + n * period) == 0 &&
	       ecm_head(head, type, &found) && found == address + n;
}

/* How many sectors from off on are alike; at least known are. */
static uint64_t measure(struct pass *p, uint64_t off, uint64_t known, unsigned type,
                        uint64_t address)
{
	uint64_t low = known - 1, step = known, high;

	while (p->probes < PROBES_MAX && probe(p, off, low + step, type, address)) {
		low += step;
		step *= 2;
	}
	high = low + step;
	while (p->probes < PROBES_MAX && high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (probe(p, off, middle, type, address))
			low = middle;
		else
			high = middle;
	}
	return low + 1;
}

/*
 * Sectors of mode 2 with their headers, from p->at on, where a literal record of 16 bytes begins.
 * *found: there was one at least.
 */
static int add_headed(struct pass *p, bool *found, struct platter_error *err)
{
	uint64_t start = p->at, address = 0, a, n = 0;
	unsigned type = 0;
	uint32_t period = 0;
	int r = 0;

	*found = false;
	if (p->ecm->layout.stored != CD_RAW_SECTOR)
		return 0;
	for (;;) {
		const uint8_t *head;

		if (!range_ok(p->at, ECM_HEAD_BYTES, p->file->size))
			break;
		head = look(p, p->at, ECM_HEAD_BYTES, &r, err);
		if (!head)
			return r;
		if (n == 0) {
			type = head[17];
			if ((type != 2 && type != 3) || !ecm_head(head, type, &address))
				return 0;
			period = ECM_HEAD_BYTES + types[type].stored;
		} else if (!ecm_head(head, type, &a) || a != address + n) {
			break;
		}
		if (!range_ok(p->at, period, p->file->size))
			break;
		n++;
		if (n == STRIDE_FROM)
			n = measure(p, start, n, type, address);
		p->at = start + n * period;
	}
	*found = n > 0;
	p->out += n * CD_RAW_SECTOR;
	return add(p->ecm,
	           &(struct ecm_stretch){
			   .kind = ECM_HEADED,
			   .off = start,
			   .period = period,
			   .skip = ECM_HEAD_BYTES + 4,
			   .type = (uint8_t)type,
		   },
	           n, err);
}

/* ---- literal bytes ---- */

/* Sectors as they were; the last 16 bytes may be the header of a sector of mode 2. */
static int add_literal(struct pass *p, const struct record *record, struct platter_error *err)
{
	uint32_t size = p->ecm->layout.stored;
	uint64_t whole = record->count / size, rest = record->count % size;
	struct ecm_stretch s = {.kind = ECM_LITERAL, .off = record->off, .period = size};
	struct record next;
	int r;

	if (p->out % size)
		return out_of_step(p, err);
	r = add(p->ecm, &s, whole, err);
	p->at = record->off + record->count;
	p->out += whole * size;
	if (r || rest == 0)
		return r;
	r = next_record(p, &next, err);
	if (!r && !next.count) /* less than a sector at the very end is left out */
		p->at = record->off + record->count;
	if (r || !next.count)
		return r;
	if (rest != CD_HEADER || size != CD_RAW_SECTOR || next.type < 2 || next.count != 1)
		return out_of_step(p, err);
	s = (struct ecm_stretch){
		.kind = ECM_CODED,
		.off = next.off,
		.period = types[next.type].stored,
		.skip = 4,
	};
	p->at = next.off + types[next.type].stored;
	p->out += size;
	return add(p->ecm, &s, 1, err);
}

/* ---- the pass ---- */

/*
 * What the first record that is no literal one says of the sectors' length. Without one, what is
 * there is a file of bytes.
 */
static int find_layout(struct pass *p, struct platter_error *err)
{
	struct ecm *ecm = p->ecm;
	struct record record;
	uint64_t out = 0;

	for (unsigned i = 0;; i++) {
		int r = next_record(p, &record, err);

		if (r)
			return r;
		if (!record.count)
			return 0;
		if (record.type != 0)
			break;
		if (i == LITERALS_MAX)
			return err_set(err, EOPNOTSUPP, "begins with more than %d literal records",
			               LITERALS_MAX);
		r = add(ecm, &(struct ecm_stretch){.off = record.off, .period = 1}, record.count,
		        err);
		if (r)
			return r;
		p->at += record.count;
		out += record.count;
	}
	ecm->count = 0;
	ecm->sectors = 0;
	/* The same numbers of stored bytes are known with either mode. */
	if (record.type == 1 || out % CD_RAW_SECTOR == CD_HEADER)
		cd_layout_find(CD_MODE1, CD_RAW_SECTOR, &ecm->layout);
	else
		cd_layout_find(CD_MODE2, 2336, &ecm->layout);
	return 0;
}

static int walk(struct pass *p, struct platter_error *err)
{
	struct record record;
	bool found;
	int r;

	for (;;) {
		uint64_t start = p->at;

		r = add_headed(p, &found, err);
		if (r)
			return r;
		if (found)
			continue;
		p->at = start;
		r = next_record(p, &record, err);
		if (r || !record.count)
			return r;
		if (record.type == 0) {
			r = add_literal(p, &record, err);
		} else {
			r = add_coded(p, &record, err);
			p->at = record.off + record.count * types[record.type].stored;
			p->out += record.count * types[record.type].out;
		}
		if (r)
			return r;
	}
}

int ecm_index(struct ecm *ecm, struct platter_error *err)
{
	struct pass p = {.ecm = ecm, .file = ecm->file, .at = 4};
	int r;

	p.window = malloc(WINDOW);
	if (!p.window)
		return err_set(err, ENOMEM, "no memory");
	r = find_layout(&p, err);
	if (!r && ecm->layout.stored) {
		p.at = 4;
		p.out = 0;
		r = walk(&p, err);
	}
	free(p.window);
	return r;
}
