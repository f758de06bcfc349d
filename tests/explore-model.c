/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every sector of the disk may hold, and looking whether it does. */
#include "config.h"

#include <string.h>

#include "explore.h"

/* Not of any write, and not the filler: a sector that is made of several. */
#define MIXTURE 0x6d69787475726521u

/* Blocks on both sides of a granule's end, with bits in the sector of a page's header and beyond
 * it, on both sides of a page's end, and at the end of the disk. */
static const struct {
	uint64_t first;
	unsigned blocks;
} window[WINDOWS] = {
	{60, 8},
	{16000, 6},
	{PAGE_BLOCKS - 4, 8},
	{PAGE_BLOCKS + 20000, 6},
	{2 * PAGE_BLOCKS - 3, 6},
	{2 * PAGE_BLOCKS + 15, 6},
};

/* Whole granules with windows in them, in one page, over two, and to the end of the disk. */
static const struct {
	uint64_t start, end;
} granules[] = {
	{64 * OVL_BLOCK, 128 * OVL_BLOCK},
	{15936 * OVL_BLOCK, 16064 * OVL_BLOCK},
	{(PAGE_BLOCKS - 64) * OVL_BLOCK, (PAGE_BLOCKS + 64) * OVL_BLOCK},
	{(2 * PAGE_BLOCKS - 64) * OVL_BLOCK, DISK},
};

static uint64_t base_value(uint64_t sector)
{
	return (1ull << 40) + sector;
}

static int base_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	uint8_t *to = buf;

	(void)dev;
	CHECK(off % 8 == 0 && len % 8 == 0);
	for (; len; len -= 8, off += 8, to += 8)
		memcpy(to, &(uint64_t){base_value(off / CRASH_SECTOR)}, 8);
	return 0;
}

static void base_close(struct dev *dev)
{
	(void)dev;
}

static const struct dev_ops base_ops = {.pread = base_pread, .close = base_close};

struct dev *model_base(void)
{
	static struct dev base;

	if (!base.ops)
		dev_init(&base, &base_ops, DISK);
	return &base;
}

/* ---- sectors ---- */

/* How many sectors window w has. */
static unsigned sectors_of(unsigned w)
{
	uint64_t start = window[w].first * OVL_BLOCK, end = start + window[w].blocks * OVL_BLOCK;

	return (unsigned)(((end < DISK ? end : DISK) - start) / CRASH_SECTOR);
}

static uint64_t offset_of(unsigned w, unsigned s)
{
	return window[w].first * OVL_BLOCK + (uint64_t)s * CRASH_SECTOR;
}

static struct expected *expected_of(unsigned w, unsigned s)
{
	return &x.m->e[w * WINDOW_BLOCKS * PER_BLOCK + s];
}

static bool in_use(unsigned w)
{
	return x.m->windows >> w & 1;
}

static void only(struct expected *e, uint64_t value)
{
	e->value[0] = value;
	e->count = 1;
	e->acked = ++e->first;
}

/* Few blocks, so that the same ones are written again and again; often two windows with bits in
 * different sectors of one page. */
static void choose_windows(void)
{
	static const uint8_t pairs[] = {1 << 0 | 1 << 1, 1 << 0 | 1 << 2, 1 << 2 | 1 << 3,
	                                1 << 1 | 1 << 2, 1 << 4 | 1 << 3, 1 << 4 | 1 << 5};

	x.m->windows =
		random_below(4) ? pairs[random_below(sizeof pairs)] : 1u << random_below(WINDOWS);
	x.m->narrow = !x.by_steps && random_below(2);
	x.m->small = x.by_steps || random_below(2);
}

void model_reset(void)
{
	choose_windows();
	for (unsigned w = 0; w < WINDOWS; w++)
		for (unsigned s = 0; s < sectors_of(w); s++)
			only(expected_of(w, s), base_value(offset_of(w, s) / CRASH_SECTOR));
}

static void mark_sector(struct expected *e, uint32_t number)
{
	uint32_t gone = number - e->first;

	if ((int32_t)gone <= 0)
		return; /* a later flush has been quicker */
	memmove(e->value, e->value + gone, (e->count - gone) * sizeof *e->value);
	e->count -= gone;
	e->first = number;
}

void model_mark(struct marks *marks)
{
	for (unsigned i = 0; i < MODEL_SECTORS; i++)
		marks->number[i] = x.m->e[i].acked;
}

void model_advance(const struct marks *marks)
{
	crashio_record(x.io, true);
	for (unsigned i = 0; i < MODEL_SECTORS; i++)
		if (x.m->e[i].count > 1)
			mark_sector(&x.m->e[i], marks->number[i]);
	crashio_record(x.io, false);
}

/* ---- writing ---- */

/* From when it begins, a write's value may be found; *e is full when that has no room. */
static bool room_for(unsigned w, unsigned s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (expected_of(w, s + i)->count == VALUES)
			return false;
	return true;
}

static void begin(unsigned w, unsigned s, unsigned n, uint64_t value)
{
	crashio_record(x.io, true);
	for (unsigned i = 0; i < n; i++) {
		struct expected *e = expected_of(w, s + i);

		e->value[e->count++] = value;
	}
	crashio_record(x.io, false);
}

static void acknowledge(unsigned w, unsigned s, unsigned n)
{
	crashio_record(x.io, true);
	for (unsigned i = 0; i < n; i++) {
		struct expected *e = expected_of(w, s + i);

		e->acked = e->first + e->count - 1;
	}
	crashio_record(x.io, false);
}

/* The sectors of window w that [start, end) covers. */
static unsigned covered(unsigned w, uint64_t start, uint64_t end, unsigned *first)
{
	uint64_t a = offset_of(w, 0), b = a + (uint64_t)sectors_of(w) * CRASH_SECTOR;

	if (!in_use(w) || start >= b || end <= a)
		return 0;
	a = max64(a, start);
	*first = (unsigned)((a - offset_of(w, 0)) / CRASH_SECTOR);
	return (unsigned)((min64(b, end) - a) / CRASH_SECTOR);
}

/* Zero whole granules, which goes another way than less does. */
static int zero_granules(struct overlay *o)
{
	unsigned g = random_below(sizeof granules / sizeof *granules), first = 0, n, w;
	uint64_t start = granules[g].start, end = granules[g].end;
	int r;

	for (w = 0; w < WINDOWS; w++)
		if ((n = covered(w, start, end, &first)) && !room_for(w, first, n))
			return 0;
	for (w = 0; w < WINDOWS; w++)
		if ((n = covered(w, start, end, &first)))
			begin(w, first, n, 0);
	r = dev_zero(overlay_dev(o), start, end - start);
	for (w = 0; w < WINDOWS && !r; w++)
		if ((n = covered(w, start, end, &first)))
			acknowledge(w, first, n);
	return r;
}

int model_write(struct overlay *o)
{
	uint64_t data[24 * CRASH_SECTOR / 8], off, value;
	unsigned w, s, n, from, to;
	int r;

	if (random_below(48) == 0)
		return zero_granules(o);
	do
		w = random_below(WINDOWS);
	while (!in_use(w));
	from = x.m->narrow ? (window[w].blocks / 2 - 1) * PER_BLOCK : 0;
	to = x.m->narrow ? from + 2 * PER_BLOCK : sectors_of(w);
	s = from + random_below(to - from);
	n = 1 + random_below(x.m->small ? 4 : 24);
	if (!x.m->small && random_below(2)) { /* whole blocks */
		s -= s % PER_BLOCK;
		n += PER_BLOCK - n % PER_BLOCK;
	}
	n = (unsigned)min64(min64(n, 24), to - s);
	if (!room_for(w, s, n))
		return 0;
	off = offset_of(w, s);
	value = random_below(5) ? ++x.m->tag << 8 : 0;
	begin(w, s, n, value);
	if (value) {
		for (unsigned i = 0; i < n * CRASH_SECTOR / 8; i++)
			data[i] = value;
		r = dev_pwrite(overlay_dev(o), data, n * CRASH_SECTOR, off);
	} else {
		r = dev_zero(overlay_dev(o), off, n * CRASH_SECTOR);
	}
	if (!r)
		acknowledge(w, s, n);
	return r;
}

/* ---- looking ---- */

static uint64_t value_of(const uint8_t *sector)
{
	uint64_t v;

	memcpy(&v, sector, 8);
	return memcmp(sector, sector + 8, CRASH_SECTOR - 8) ? MIXTURE : v;
}

static void check_sector(unsigned w, unsigned s, uint64_t found, bool clean)
{
	const struct expected *e = expected_of(w, s);
	uint32_t i = e->count;

	while (i > 0 && e->value[i - 1] != found)
		i--;
	if (i == 0)
		lost("the sector at %llu holds %#llx, not %#llx%s",
		     (unsigned long long)offset_of(w, s), (unsigned long long)found,
		     (unsigned long long)e->value[0], e->count > 1 ? " or a later write" : "");
	if (clean && e->first + i - 1 < e->acked)
		lost("marked clean, but the sector at %llu has not its last write",
		     (unsigned long long)offset_of(w, s));
}

/* Whether any of the sectors of a block was written since they were last durable. */
static bool can_differ(unsigned w, unsigned s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (expected_of(w, s + i)->count > 1)
			return true;
	return false;
}

static void look_at_window(struct overlay *o, unsigned w, bool everything, bool clean)
{
	unsigned total = sectors_of(w), sample = random_below(total);
	uint8_t block[OVL_BLOCK];

	for (unsigned s = 0, n; s < total; s += n) {
		n = (unsigned)min64(PER_BLOCK, total - s);
		if (!everything && sample / PER_BLOCK != s / PER_BLOCK && !can_differ(w, s, n))
			continue;
		if (dev_pread(overlay_dev(o), block, n * CRASH_SECTOR, offset_of(w, s)))
			lost("the block at %llu cannot be read",
			     (unsigned long long)offset_of(w, s));
		for (unsigned i = 0; i < n; i++)
			check_sector(w, s + i, value_of(block + i * CRASH_SECTOR), clean);
	}
}

void model_look(struct crashio *c, bool everything)
{
	struct overlay_mode mode = {.read_only = true};
	struct platter_error err = {0};
	struct ovl_header h;
	struct overlay *o;
	int slot;

	c->show_cut = true;
	if (ovl_header_read(&c->io, false, &h, &slot, &err))
		lost("it cannot be opened: %s", err.text);
	CHECK(overlay_start(&c->io, &h, slot, model_base(), mode, NULL, &o, &err) == 0);
	for (unsigned w = 0; w < WINDOWS; w++)
		if (in_use(w))
			look_at_window(o, w, everything, h.state == OVL_CLEAN);
	overlay_free(o);
	c->show_cut = false;
	x.states++;
}

void model_settle(struct overlay *o)
{
	uint8_t block[OVL_BLOCK];

	for (unsigned w = 0; w < WINDOWS; w++) {
		unsigned total = sectors_of(w);

		if (!in_use(w))
			continue;
		look_at_window(o, w, true, false);
		for (unsigned s = 0; s < total; s++) {
			CHECK(dev_pread(overlay_dev(o), block, CRASH_SECTOR, offset_of(w, s)) == 0);
			only(expected_of(w, s), value_of(block));
		}
	}
}
