/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay's engine on a recording io: what is read back, how often it flushes, and what
 * failures do. What is left after a power cut is explore-overlay's.
 *
 * unit-overlay [SEED]
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
#define DISK ((uint64_t)100 * OVL_BLOCK + 1536)

static uint64_t random_state = 88172645463325252u;

static uint32_t next_random(void)
{
	return (uint32_t)(crash_random(&random_state) >> 16);
}

static struct crashio *new_io(uint64_t size, uint8_t filler)
{
	struct platter_error err;
	struct ovl_header h;
	struct crashio *c;

	CHECK(ovl_header_init(&h, size, &err) == 0);
	c = crashio_new(le64_get(h.file_size), le64_get(h.data_off), filler);
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

/* More pages than a flush holds images of: it goes in rounds, each with its data before its map. */
static void flushes_many_pages(void)
{
	const unsigned pages = 1100;
	const uint64_t step = (uint64_t)OVL_BLOCKS_PER_PAGE * OVL_BLOCK;
	struct dev *base = testdev_pattern(pages * step);
	struct crashio *c = new_io(pages * step, 0);
	struct overlay *o = open_io(c, base);
	uint8_t block[OVL_BLOCK], back[OVL_BLOCK];

	c->syncs = 0;
	for (unsigned i = 0; i < pages; i++) {
		memset(block, (int)i, sizeof block);
		CHECK(dev_pwrite(overlay_dev(o), block, sizeof block, i * step) == 0);
	}
	CHECK(overlay_flush(o) == 0 && c->syncs == 3);
	overlay_free(o);
	o = open_io(c, base);
	for (unsigned i = 0; i < pages; i++) {
		memset(block, (int)i, sizeof block);
		CHECK(dev_pread(overlay_dev(o), back, sizeof back, i * step) == 0);
		CHECK(memcmp(back, block, sizeof back) == 0);
	}
	overlay_free(o);
	crashio_free(c);
	dev_unref(base);
}

/* What the calls refuse, and what is nothing to do. */
static void refuses_what_does_not_fit(void)
{
	struct dev *base = testdev_pattern(DISK), *other = testdev_pattern(DISK + OVL_BLOCK);
	struct overlay_mode looking = {.read_only = true};
	struct crashio *c = new_io(DISK, 0), *d = new_io(400 * DISK, 0);
	struct platter_error err;
	struct ovl_header h, larger;
	struct overlay_io *ram;
	struct overlay *o;
	int slot;

	CHECK(ovl_header_read(&c->io, false, &h, &slot, &err) == 0);
	CHECK(overlay_start(&c->io, &h, slot, other, (struct overlay_mode){0}, NULL, &o, &err) ==
	      -ESTALE);
	CHECK(!o && strstr(err.text, "made for a disk of"));
	o = open_io(c, base);
	CHECK(overlay_pause(o) == -EINVAL);
	CHECK(overlay_finish(o) == 0 && overlay_finish(o) == 0);
	overlay_free(o);
	CHECK(overlay_start(&c->io, &h, slot, base, looking, NULL, &o, &err) == 0);
	c->pwrites = c->syncs = 0;
	CHECK(overlay_begin(o) == 0 && overlay_flush(o) == 0 && overlay_finish(o) == 0);
	CHECK(!dev_writable(overlay_dev(o)) && c->pwrites == 0 && c->syncs == 0);
	overlay_free(o);

	/* From memory to a file that is another disk's. */
	CHECK(overlay_io_ram(le64_get(h.file_size), &ram, &err) == 0);
	CHECK(overlay_start(ram, &h, 0, base, (struct overlay_mode){0}, NULL, &o, &err) == 0);
	CHECK(overlay_flush(o) == 0 && overlay_finish(o) == 0);
	CHECK(overlay_pause(o) == 0);
	CHECK(ovl_header_read(&d->io, false, &larger, &slot, &err) == 0);
	CHECK(overlay_adopt(o, &d->io, &larger, slot) == -EINVAL);
	overlay_resume(o);
	CHECK(dev_zero(overlay_dev(o), 0, DISK) == 0);
	overlay_free(o);
	crashio_free(c);
	crashio_free(d);
	dev_unref(base);
	dev_unref(other);
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
 * flushes. (Once, with a real file; explore-overlay kills at every moment.) */
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

int main(int argc, char **argv)
{
	if (argc > 1)
		random_state = strtoull(argv[1], NULL, 0);
	reads_back_what_was_written(0xaa);
	reads_back_what_was_written(0);
	zeroes_across_pages();
	flushes_no_more_than_needed();
	a_failed_sync_sticks();
	a_full_disk_is_said_at_the_write_and_can_pass();
	flushes_many_pages();
	refuses_what_does_not_fit();
	a_damaged_slot_is_absent();
	what_a_killed_child_acknowledged_is_flushed();
	return 0;
}
