/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay's engine on a recording io: what is read back, how often it flushes, what failures
 * do, and what is left after the power was cut at any moment.
 *
 * unit-overlay [STATES [SEED]]: how many crash states to look at.
 */
#include "config.h"

#include "overlay.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crashio.h"
#include "crc32c.h"
#include "testdev.h"

/* A disk whose last block is not whole, in two granules. */
#define DISK    ((uint64_t)100 * OVL_BLOCK + 1536)
#define SECTORS (DISK / CRASH_SECTOR)

static uint64_t random_state = 88172645463325252u;

static uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static struct crashio *new_io(uint64_t size, uint8_t filler)
{
	struct platter_error err;
	struct ovl_header h;
	struct crashio *c;

	CHECK(ovl_header_init(&h, size, &err) == 0);
	c = crashio_new(le64_get(h.file_size), le64_get(h.data_off), filler);
	memset(c->now, 0, le64_get(h.data_off));
	for (int slot = 0; slot < 2; slot++) {
		h.hseq = le64_put((uint64_t)slot + 1);
		CHECK(ovl_header_write(&c->io, &h, slot) == 0);
	}
	CHECK(c->io.ops->sync(&c->io) == 0);
	c->syncs = 0;
	return c;
}

static struct overlay *open_io(struct crashio *c, struct dev *base)
{
	struct platter_error err = {0};
	struct overlay *o;
	struct ovl_header h;
	int slot;

	CHECK(ovl_header_read(&c->io, false, &h, &slot, &err) == 0);
	CHECK(overlay_start(&c->io, &h, slot, base, (struct overlay_mode){0}, NULL, &o, &err) == 0);
	CHECK(overlay_begin(o) == 0);
	return o;
}

/* ---- reading back ---- */

static void mirror_matches(struct overlay *o, const uint8_t *mirror)
{
	uint8_t *buf = malloc(DISK);

	CHECK(buf && dev_pread(overlay_dev(o), buf, DISK, 0) == 0);
	CHECK(memcmp(buf, mirror, DISK) == 0);
	free(buf);
}

/* Random writes and zeroings of any size and alignment, against a mirror in memory. */
static void reads_back_what_was_written(uint8_t filler)
{
	struct dev *base = testdev_pattern(DISK);
	struct crashio *c = new_io(DISK, filler);
	struct overlay *o = open_io(c, base);
	uint8_t *mirror = malloc(DISK), data[20000];

	CHECK(mirror && dev_pread(base, mirror, DISK, 0) == 0);
	for (int i = 0; i < 3000; i++) {
		uint64_t off = next_random() % DISK, len = 1 + next_random() % sizeof data;

		len = len < DISK - off ? len : DISK - off;
		if (next_random() % 2)
			off -= off % OVL_BLOCK;
		if (next_random() % 4 == 0) {
			memset(mirror + off, 0, len);
			CHECK(dev_zero(overlay_dev(o), off, len) == 0);
		} else {
			memset(data, (int)next_random(), len);
			memcpy(mirror + off, data, len);
			CHECK(dev_pwrite(overlay_dev(o), data, len, off) == 0);
		}
		if (i % 50 == 0)
			mirror_matches(o, mirror);
		if (i % 500 == 0) { /* and again after closing and opening */
			CHECK(overlay_finish(o) == 0);
			overlay_free(o);
			o = open_io(c, base);
			mirror_matches(o, mirror);
			/* A young overlay, in which much is still the base's. */
			if (i % 1000 == 0) {
				overlay_free(o);
				crashio_free(c);
				c = new_io(DISK, filler);
				o = open_io(c, base);
				CHECK(dev_pread(base, mirror, DISK, 0) == 0);
			}
		}
	}
	mirror_matches(o, mirror);
	free(mirror);
	overlay_free(o);
	crashio_free(c);
	dev_unref(base);
}

/* Zeroing many granules at once, over a map of several pages. */
static void zeroes_across_pages(void)
{
	uint64_t size = 3ull * OVL_BLOCKS_PER_PAGE * OVL_BLOCK / 16;
	struct dev *base = testdev_pattern(size);
	struct crashio *c = new_io(size, 0xaa);
	struct overlay *o = open_io(c, base);
	uint8_t buf[64];

	CHECK(dev_zero(overlay_dev(o), 5000, size - 10000) == 0);
	for (uint64_t off = 5000; off + 64 < size - 5000; off += 99991) {
		CHECK(dev_pread(overlay_dev(o), buf, 64, off) == 0);
		for (int i = 0; i < 64; i++)
			CHECK(buf[i] == 0);
	}
	CHECK(dev_pread(overlay_dev(o), buf, 64, 4936) == 0 && testdev_is_pattern(buf, 64, 4936));
	CHECK(dev_pread(overlay_dev(o), buf, 64, size - 5000) == 0 &&
	      testdev_is_pattern(buf, 64, size - 5000));
	CHECK(c->punches < 10);
	overlay_free(o);
	crashio_free(c);
	dev_unref(base);
}

/* ---- flushing ---- */

static void flushes_no_more_than_needed(void)
{
	struct dev *base = testdev_pattern(DISK);
	struct crashio *c = new_io(DISK, 0);
	struct overlay *o = open_io(c, base);
	uint8_t block[OVL_BLOCK] = {1};

	c->syncs = 0;
	CHECK(overlay_flush(o) == 0 && c->syncs == 0);
	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == 0);
	CHECK(overlay_flush(o) == 0 && c->syncs == 2);
	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == 0);
	CHECK(overlay_flush(o) == 0 && c->syncs == 3);
	CHECK(overlay_flush(o) == 0 && c->syncs == 3);
	overlay_free(o);
	crashio_free(c);
	dev_unref(base);
}

static void a_failed_sync_sticks(void)
{
	struct dev *base = testdev_pattern(DISK);
	struct crashio *c = new_io(DISK, 0);
	struct overlay *o = open_io(c, base);
	uint8_t block[OVL_BLOCK] = {1}, back[OVL_BLOCK];
	unsigned pwrites;

	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == 0);
	c->fail_sync = EIO;
	CHECK(overlay_flush(o) == -EIO);
	c->fail_sync = 0;
	pwrites = c->pwrites;
	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == -EIO);
	CHECK(dev_zero(overlay_dev(o), 0, sizeof block) == -EIO);
	CHECK(overlay_flush(o) == -EIO && overlay_finish(o) == -EIO);
	CHECK(c->pwrites == pwrites); /* I8 */
	CHECK(dev_pread(overlay_dev(o), back, sizeof back, 8 * OVL_BLOCK) == 0);
	overlay_free(o);
	crashio_free(c);
	dev_unref(base);
}

static void a_full_disk_is_said_at_the_write_and_can_pass(void)
{
	struct dev *base = testdev_pattern(DISK);
	struct crashio *c = new_io(DISK, 0);
	struct overlay *o = open_io(c, base);
	uint8_t block[OVL_BLOCK] = {1}, back[OVL_BLOCK];

	c->fail_reserve = ENOSPC;
	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == -ENOSPC);
	c->fail_reserve = 0;
	c->fail_pwrite = ENOSPC;
	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == -ENOSPC);
	CHECK(dev_pread(overlay_dev(o), back, sizeof back, 0) == 0);
	CHECK(testdev_is_pattern(back, sizeof back, 0));
	c->fail_pwrite = 0;
	CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 0) == 0);
	c->fail_pwrite = ENOSPC; /* hosts where slots cannot be reserved */
	CHECK(overlay_flush(o) == -ENOSPC);
	c->fail_pwrite = 0;
	CHECK(overlay_flush(o) == 0);
	overlay_free(o);
	o = open_io(c, base);
	CHECK(dev_pread(overlay_dev(o), back, sizeof back, 0) == 0);
	CHECK(memcmp(back, block, sizeof back) == 0);
	overlay_free(o);
	crashio_free(c);
	dev_unref(base);
}

/* A slot with one wrong bit is absent, and the older one holds. */
static void a_damaged_slot_is_absent(void)
{
	struct platter_error err;
	struct ovl_page pair[2] = {0};
	struct ovl_header h;

	CHECK(ovl_header_init(&h, DISK, &err) == 0);
	for (int i = 0; i < 2; i++) {
		memcpy(pair[i].magic, OVL_PAGE_MAGIC, sizeof pair[i].magic);
		memcpy(pair[i].uuid_lo, h.uuid, sizeof pair[i].uuid_lo);
		pair[i].index = le64_put(3);
		pair[i].seq = le64_put((uint64_t)i + 1);
		pair[i].crc = le32_put(crc32c((char *)&pair[i] + 4, sizeof pair[i] - 4));
	}
	CHECK(ovl_page_choose(&h, 3, pair) == 1);
	CHECK(ovl_page_choose(&h, 2, pair) == -1);
	pair[1].bits[4000] ^= 1;
	CHECK(ovl_page_choose(&h, 3, pair) == 0);
	pair[0].bits[0] ^= 0x80;
	CHECK(ovl_page_choose(&h, 3, pair) == -1);
}

/* The map is in memory that a fork shares: what a child wrote before it was killed, the parent
 * flushes. (The io's memory is not shared, so the child says what it wrote through the map alone.)
 */
static void what_a_killed_child_acknowledged_is_flushed(void)
{
	struct dev *base = testdev_pattern(DISK);
	uint8_t block[OVL_BLOCK], back[OVL_BLOCK];
	char path[] = "overlay.XXXXXX";
	struct overlay_mode mode = {0};
	struct platter_error err;
	struct overlay_io *io;
	struct overlay *o;
	struct ovl_header h;
	int fd = mkstemp(path), slot, status;
	pid_t pid;

	memset(block, 7, sizeof block);
	CHECK(fd >= 0 && unlink(path) == 0);
	CHECK(ovl_header_init(&h, DISK, &err) == 0);
	CHECK(ftruncate(fd, (off_t)le64_get(h.file_size)) == 0 &&
	      overlay_io_file(dup(fd), &io) == 0);
	h.hseq = le64_put(1);
	CHECK(ovl_header_write(io, &h, 0) == 0 && ovl_header_read(io, false, &h, &slot, &err) == 0);
	CHECK(overlay_start(io, &h, slot, base, mode, NULL, &o, &err) == 0);
	CHECK(overlay_begin(o) == 0);
	pid = fork();
	if (pid == 0) {
		CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, 3 * OVL_BLOCK) == 0);
		raise(SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	CHECK(overlay_finish(o) == 0);
	overlay_free(o);
	CHECK(overlay_io_file(fd, &io) == 0 && ovl_header_read(io, false, &h, &slot, &err) == 0);
	CHECK(h.state == OVL_CLEAN);
	CHECK(overlay_start(io, &h, slot, base, mode, NULL, &o, &err) == 0);
	CHECK(dev_pread(overlay_dev(o), back, sizeof back, 3 * OVL_BLOCK) == 0);
	CHECK(memcmp(back, block, sizeof back) == 0);
	overlay_free(o);
	dev_unref(base);
}

/* ---- cutting the power ---- */

/* For each sector of the disk, the values that may be found: what the last fsync made durable,
 * then everything that was written since. A sector is filled with its value. */
struct expected {
	uint64_t *values[SECTORS];
	size_t count[SECTORS], snapshot[SECTORS];
};

static struct {
	struct expected e;
	struct crashio *io;
	struct overlay *o;
	struct dev *base;
	uint64_t states, bad, wanted, tag;
	bool racing;
} cut;

static uint64_t value_of(const uint8_t *sector)
{
	uint64_t v, w;

	memcpy(&v, sector, 8);
	for (unsigned i = 8; i < CRASH_SECTOR; i += 8) {
		memcpy(&w, sector + i, 8);
		if (w != v)
			return UINT64_MAX; /* a mixture: never right */
	}
	return v;
}

static void allow(uint64_t sector, uint64_t value)
{
	struct expected *e = &cut.e;

	e->values[sector] = reallocarray(e->values[sector], e->count[sector] + 1, 8);
	CHECK(e->values[sector]);
	e->values[sector][e->count[sector]++] = value;
}

static void write_some(void)
{
	uint64_t s = next_random() % SECTORS, n = 1 + next_random() % 24, v = ++cut.tag << 32;
	uint64_t data[24 * CRASH_SECTOR / 8];
	bool zero = next_random() % 6 == 0;

	n = n < SECTORS - s ? n : SECTORS - s;
	if (zero)
		v = 0;
	for (uint64_t i = 0; i < n * CRASH_SECTOR / 8; i++)
		data[i] = v;
	/* It may be found from the moment it begins. */
	for (uint64_t i = 0; i < n; i++)
		allow(s + i, v);
	if (zero)
		CHECK(dev_zero(overlay_dev(cut.o), s * CRASH_SECTOR, n * CRASH_SECTOR) == 0);
	else
		CHECK(dev_pwrite(overlay_dev(cut.o), data, n * CRASH_SECTOR, s * CRASH_SECTOR) ==
		      0);
}

static bool allowed(uint64_t sector, uint64_t value)
{
	for (size_t i = 0; i < cut.e.count[sector]; i++)
		if (cut.e.values[sector][i] == value)
			return true;
	return false;
}

/* Open what a crash left and look at every sector. Leaves the disk's contents in found. */
static void look(struct crashio *c, uint8_t *found)
{
	struct overlay *o = open_io(c, cut.base);

	CHECK(dev_pread(overlay_dev(o), found, DISK, 0) == 0);
	for (uint64_t s = 0; s < SECTORS; s++)
		cut.bad += !allowed(s, value_of(found + s * CRASH_SECTOR));
	cut.states++;
	overlay_free(o);
}

static void crash_here(void *arg)
{
	static uint8_t found[DISK];
	struct crashio *c;

	(void)arg;
	if (cut.racing || cut.states >= cut.wanted)
		return;
	cut.racing = true; /* the writes below come back here */
	for (uint32_t n = next_random() % 3; n > 0; n--)
		write_some();
	for (int i = 0; i < 3; i++) {
		c = crashio_crash(cut.io, next_random);
		look(c, found);
		crashio_free(c);
	}
	cut.racing = false;
}

static void flush_and_expect(void)
{
	struct expected *e = &cut.e;

	for (uint64_t s = 0; s < SECTORS; s++)
		e->snapshot[s] = e->count[s] - 1;
	CHECK(overlay_flush(cut.o) == 0);
	for (uint64_t s = 0; s < SECTORS; s++) {
		e->count[s] -= e->snapshot[s];
		memmove(e->values[s], e->values[s] + e->snapshot[s], e->count[s] * 8);
	}
}

/* The power really goes: carry on from what it left. */
static void live_on(void)
{
	static uint8_t found[DISK];
	struct crashio *c = crashio_crash(cut.io, next_random);

	look(c, found);
	overlay_free(cut.o);
	crashio_free(cut.io);
	cut.io = c;
	cut.o = open_io(c, cut.base);
	for (uint64_t s = 0; s < SECTORS; s++) {
		cut.e.values[s][0] = value_of(found + s * CRASH_SECTOR);
		cut.e.count[s] = 1;
	}
	c->hook = crash_here;
}

static void one_life(uint8_t filler)
{
	uint8_t sector[CRASH_SECTOR];

	cut.io = new_io(DISK, filler);
	cut.o = open_io(cut.io, cut.base);
	cut.io->hook = crash_here;
	for (uint64_t s = 0; s < SECTORS; s++) {
		CHECK(dev_pread(cut.base, sector, sizeof sector, s * CRASH_SECTOR) == 0);
		cut.e.count[s] = 0;
		allow(s, value_of(sector));
	}
	for (int step = 0; step < 60 && cut.states < cut.wanted; step++) {
		if (next_random() % 4)
			write_some();
		else
			flush_and_expect();
		crash_here(NULL);
		if (next_random() % 25 == 0)
			live_on();
	}
	overlay_free(cut.o);
	crashio_free(cut.io);
}

static void survives_power_cuts(uint64_t states)
{
	uint8_t sector[CRASH_SECTOR];
	struct dev *base;

	CHECK(dev_memory(NULL, DISK, true, &base) == 0);
	for (uint64_t s = 0; s < SECTORS; s++) {
		for (unsigned i = 0; i < CRASH_SECTOR; i += 8)
			memcpy(sector + i, &(uint64_t){s + 1}, 8);
		CHECK(dev_pwrite(base, sector, sizeof sector, s * CRASH_SECTOR) == 0);
	}
	cut.base = base;
	cut.wanted = states;
	while (cut.states < states && cut.bad == 0)
		one_life(next_random() % 2 ? 0xaa : 0);
	printf("%llu states, %llu bad sectors\n", (unsigned long long)cut.states,
	       (unsigned long long)cut.bad);
	CHECK(cut.bad == 0);
	for (uint64_t s = 0; s < SECTORS; s++)
		free(cut.e.values[s]);
	dev_unref(base);
}

int main(int argc, char **argv)
{
	if (argc > 2)
		random_state = strtoull(argv[2], NULL, 0);
	reads_back_what_was_written(0xaa);
	reads_back_what_was_written(0);
	zeroes_across_pages();
	flushes_no_more_than_needed();
	a_failed_sync_sticks();
	a_full_disk_is_said_at_the_write_and_can_pass();
	a_damaged_slot_is_absent();
	what_a_killed_child_acknowledged_is_flushed();
	survives_power_cuts(argc > 1 ? strtoull(argv[1], NULL, 0) : 20000);
	return 0;
}
