/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every call that the overlay makes to its file and to the image fails once, and from then on: the
 * failure is passed on, what was acknowledged stays readable, and when it is over the overlay
 * goes on as if it had not been, but after a failed sync or a failed write of the map: then it
 * takes nothing more.
 */
#include "config.h"

#include "overlay.h"

#include <errno.h>
#include <string.h>

#include "crashio.h"
#include "testdev.h"

/* Three pages of the map, the last block not whole. */
#define DISK  ((uint64_t)(2 * OVL_BLOCKS_PER_PAGE + 100) * OVL_BLOCK + 1536)
#define TOUCH ((uint64_t)1 << 20) /* what is written to: that much from each of the places on */
static const uint64_t places[] = {0, (uint64_t)OVL_BLOCKS_PER_PAGE *OVL_BLOCK - TOUCH / 2,
                                  DISK - TOUCH};
#define PLACES (sizeof places / sizeof *places)

enum call { CALL_PREAD, CALL_PWRITE, CALL_PUNCH, CALL_RESERVE, CALL_SYNC, CALL_EXTENT, CALLS };

/* Passes all on to lower; call number `at` of a kind fails, and with `lasting` all after it. */
struct fault_io {
	struct overlay_io io;
	struct overlay_io *lower;
	enum call kind;
	unsigned at, seen;
	int error; /* an errno */
	bool lasting, hit, off;
};

static struct fault_io f;

static int fault(enum call kind)
{
	if (f.off || kind != f.kind)
		return 0;
	f.seen++;
	if (f.seen != f.at && !(f.lasting && f.seen > f.at))
		return 0;
	f.hit = true;
	return -f.error;
}

static int fault_pread(struct overlay_io *io, void *buf, size_t len, uint64_t off)
{
	int r = fault(CALL_PREAD);

	(void)io;
	return r ? r : f.lower->ops->pread(f.lower, buf, len, off);
}

static int fault_pwrite(struct overlay_io *io, const void *buf, size_t len, uint64_t off)
{
	int r = fault(CALL_PWRITE);

	(void)io;
	return r ? r : f.lower->ops->pwrite(f.lower, buf, len, off);
}

static int fault_punch(struct overlay_io *io, uint64_t off, uint64_t len)
{
	int r = fault(CALL_PUNCH);

	(void)io;
	return r ? r : f.lower->ops->punch(f.lower, off, len);
}

static int fault_reserve(struct overlay_io *io, uint64_t off, uint64_t len)
{
	int r = fault(CALL_RESERVE);

	(void)io;
	return r ? r : f.lower->ops->reserve(f.lower, off, len);
}

static int fault_sync(struct overlay_io *io)
{
	int r = fault(CALL_SYNC);

	(void)io;
	return r ? r : f.lower->ops->sync(f.lower);
}

static int fault_extent(struct overlay_io *io, uint64_t off, struct dev_extent *ext)
{
	int r = fault(CALL_EXTENT);

	(void)io;
	return r ? r : f.lower->ops->extent(f.lower, off, ext);
}

static uint64_t fault_room(struct overlay_io *io)
{
	(void)io;
	return f.lower->ops->room(f.lower);
}

static void fault_close(struct overlay_io *io)
{
	(void)io;
}

static const struct overlay_io_ops fault_ops = {
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.punch = fault_punch,
	.reserve = fault_reserve,
	.sync = fault_sync,
	.sync_anew = fault_sync,
	.extent = fault_extent,
	.room = fault_room,
	.close = fault_close,
};

/* ---- what the disk must hold ---- */

static struct {
	uint8_t image[PLACES][TOUCH], old[PLACES][TOUCH], now[PLACES][TOUCH];
	struct overlay *o;
	struct dev *base;
	struct testdev_log log;
	unsigned said; /* lines in the log */
	bool fresh;    /* the overlay had no life before */
	uint64_t random;
} t;

static void count_line(void *arg, const char *line)
{
	(void)arg;
	CHECK(strstr(line, "overlay: "));
	t.said++;
}

/* After a failure each sector of the last change is old or new, and is taken for what it is. */
static void settle(unsigned place, uint64_t off, uint64_t len)
{
	static uint8_t found[TOUCH];

	CHECK(dev_pread(overlay_dev(t.o), found, TOUCH, places[place]) == 0);
	for (uint64_t i = off; i < off + len; i++)
		CHECK(found[i] == t.old[place][i] || found[i] == t.now[place][i]);
	memcpy(t.now[place] + off, found + off, len);
}

static void check_all(void)
{
	static uint8_t found[TOUCH];

	for (unsigned p = 0; p < PLACES; p++) {
		CHECK(dev_pread(overlay_dev(t.o), found, TOUCH, places[p]) == 0);
		CHECK(memcmp(found, t.now[p], TOUCH) == 0);
	}
}

static bool sticky(void)
{
	char byte = 0;

	return overlay_flush(t.o) == -EIO &&
	       dev_pwrite(overlay_dev(t.o), &byte, 1, places[0]) == -EIO &&
	       dev_zero(overlay_dev(t.o), places[0], 1) == -EIO;
}

static int apply(unsigned p, uint64_t off, uint64_t len, int byte)
{
	int r;

	memcpy(t.old[p] + off, t.now[p] + off, len);
	memset(t.now[p] + off, byte, len);
	if (byte == 0)
		r = dev_zero(overlay_dev(t.o), places[p] + off, len);
	else
		r = dev_pwrite(overlay_dev(t.o), t.now[p] + off, len, places[p] + off);
	if (r) {
		f.off = true; /* the first failure ends the load */
		t.log.fail = 0;
		settle(p, off, len);
	}
	return r;
}

/* One random change. */
static int change(void)
{
	unsigned p = (unsigned)(crash_random(&t.random) % PLACES);
	uint64_t off = crash_random(&t.random) % TOUCH;
	uint64_t len = 1 + crash_random(&t.random) % (crash_random(&t.random) % 4 ? 9000 : 700000);
	bool zero = crash_random(&t.random) % 4 == 0;

	if (crash_random(&t.random) % 2)
		off -= off % OVL_BLOCK;
	len = len < TOUCH - off ? len : TOUCH - off;
	return apply(p, off, len, zero ? 0 : (int)(crash_random(&t.random) | 1) & 255);
}

static int look(void)
{
	static uint8_t found[TOUCH];
	struct dev_extent ext;
	int r = 0;

	for (unsigned p = 0; p < PLACES && !r; p++) {
		r = dev_pread(overlay_dev(t.o), found, TOUCH, places[p]);
		CHECK(r || memcmp(found, t.now[p], TOUCH) == 0);
		for (uint64_t off = 0; off < TOUCH && !r; off += ext.length)
			r = dev_extent(overlay_dev(t.o), places[p] + off, &ext);
	}
	return r;
}

/* ---- one life ---- */

static void start(struct crashio *c)
{
	struct overlay_hooks hooks = {.log = count_line};
	struct platter_error err = {0};
	struct ovl_header h;
	int slot;

	f.off = true;
	CHECK(ovl_header_read(&f.io, false, &h, &slot, &err) == 0);
	f.off = false;
	f.lower = &c->io;
	CHECK(overlay_start(&f.io, &h, slot, t.base, (struct overlay_mode){0}, &hooks, &t.o,
	                    &err) == 0);
}

/* The load, up to the first failure. */
static int live(void)
{
	struct dev_extent ext;
	int r = overlay_begin(t.o);

	/* Where nothing is known of the map yet: asked for a hole, and zeroed over a page's end. */
	if (!r && t.fresh)
		r = dev_extent(overlay_dev(t.o), places[2], &ext);
	if (!r && t.fresh)
		r = apply(1, 0, TOUCH, 0);
	for (int step = 0; step < 24 && !r; step++) {
		r = change();
		if (!r && step % 6 == 5)
			r = overlay_flush(t.o);
		if (!r && step % 8 == 7)
			r = look();
	}
	return r ? r : overlay_finish(t.o);
}

/* It is over: the rest goes as if nothing had been. */
static void recover(void)
{
	check_all();
	if (sticky()) {
		CHECK(t.said == 1);
		CHECK(f.kind == CALL_SYNC || f.kind == CALL_PWRITE);
		CHECK(overlay_finish(t.o) == 0 || sticky());
		return;
	}
	CHECK(overlay_begin(t.o) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(change() == 0);
	CHECK(overlay_flush(t.o) == 0);
	check_all();
	CHECK(overlay_finish(t.o) == 0);
}

/* A new overlay, with a first life without faults unless it is to be fresh; whether the fault was
 * met. */
static bool one_life(enum call kind, unsigned at, int error, bool lasting, unsigned base_at)
{
	struct platter_error err;
	struct ovl_header h;
	struct crashio *c;
	bool met;
	int r;

	t.random = 0x9e3779b97f4a7c15u;
	CHECK(ovl_header_init(&h, DISK, &err) == 0);
	c = crashio_new(le64_get(h.file_size), le64_get(h.data_off), 0xaa);
	for (int slot = 0; slot < 2; slot++) {
		h.hseq = le64_put((uint64_t)slot + 1);
		CHECK(ovl_header_write(&c->io, &h, slot) == 0);
	}
	f = (struct fault_io){.io.ops = &fault_ops, .lower = &c->io, .kind = CALLS};
	memcpy(t.now, t.image, sizeof t.now);
	if (!t.fresh) {
		start(c);
		CHECK(live() == 0);
		overlay_free(t.o);
	}

	t.said = 0;
	f.kind = kind;
	f.at = at;
	f.error = error;
	f.lasting = lasting;
	t.log.fail = base_at ? EIO : 0;
	t.log.after = base_at - 1;
	start(c);
	r = live();
	met = f.hit || (base_at && r);
	f.off = true;
	t.log.fail = 0;
	if (r)
		recover();
	else
		check_all();
	overlay_free(t.o);
	f.off = true;
	t.log.fail = 0;
	start(c);
	f.off = true;
	if (!t.said)
		check_all();
	overlay_free(t.o);
	crashio_free(c);
	return met;
}

static unsigned sweep(enum call kind, int error, bool lasting)
{
	unsigned n = 1;

	while (one_life(kind, n, error, lasting, 0))
		n++;
	return n - 1;
}

static void sweep_all(void)
{
	static const char *const names[] = {"pread",   "pwrite", "punch",
	                                    "reserve", "sync",   "extent"};
	static const int errors[] = {EIO, ENOSPC, EOPNOTSUPP};
	unsigned n;

	for (enum call kind = 0; kind < CALLS; kind++)
		for (unsigned e = 0; e < (kind == CALL_RESERVE ? 3 : 2); e++)
			for (int lasting = 0; lasting < 2; lasting++) {
				n = sweep(kind, errors[e], lasting);
				printf("%s, %s%s: %u calls\n", names[kind], strerror(errors[e]),
				       lasting ? ", lasting" : "", n);
				CHECK(n > 0);
			}
	for (n = 1; one_life(CALLS, 0, 0, false, n);)
		n++;
	printf("reads of the image: %u calls\n", n - 1);
	CHECK(n > 3);
}

int main(void)
{
	struct dev *pattern = testdev_pattern(DISK);

	t.base = testdev_logging(pattern, &t.log);
	for (unsigned p = 0; p < PLACES; p++)
		CHECK(dev_pread(t.base, t.image[p], TOUCH, places[p]) == 0);
	sweep_all();
	t.fresh = true;
	sweep_all();
	dev_unref(t.base);
	dev_unref(pattern);
	return 0;
}
