/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes that are asked for while one is running: they may not return with that one, which began
 * before what they stand for was written, and one more serves them all.
 */
#include "config.h"

#include "overlay.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "crashio.h"
#include "testdev.h"

#define BLOCKS  64
#define WAITERS 8

static struct {
	struct crashio *io;
	struct overlay *o;
	struct dev *base;
	pthread_t threads[WAITERS];
	bool begun;
} t;

static void write_block(unsigned i)
{
	char block[OVL_BLOCK];

	memset(block, (int)i + 1, sizeof block);
	CHECK(dev_pwrite(overlay_dev(t.o), block, sizeof block, (uint64_t)i * OVL_BLOCK) == 0);
}

static struct overlay *open_io(struct overlay_io *io)
{
	struct platter_error err = {0};
	struct overlay_mode mode = {0};
	struct ovl_header h;
	struct overlay *o;
	int slot;

	CHECK(ovl_header_read(io, false, &h, &slot, &err) == 0);
	CHECK(overlay_start(io, &h, slot, t.base, mode, NULL, &o, &err) == 0);
	return o;
}

/* What of t.io was synced: whole sectors, which is how all is read here. */
static int durable_pread(struct overlay_io *io, void *buf, size_t len, uint64_t off)
{
	const size_t per_block = 4096 / CRASH_SECTOR;

	(void)io;
	CHECK(len % CRASH_SECTOR == 0 && off % CRASH_SECTOR == 0);
	for (size_t at = 0; at < len; at += CRASH_SECTOR) {
		uint64_t s = (off + at) / CRASH_SECTOR;
		struct crash_sector *block = t.io->blocks[s / per_block];
		const uint8_t *now = block ? block[s % per_block].durable : NULL;

		if (now)
			memcpy((char *)buf + at, now, CRASH_SECTOR);
		else
			memset((char *)buf + at, 0, CRASH_SECTOR);
	}
	return 0;
}

static void durable_close(struct overlay_io *io)
{
	(void)io;
}

/* Whether block i would be there if the power were cut now and nothing but what was synced stayed.
 */
static bool is_durable(unsigned i)
{
	static const struct overlay_io_ops ops = {.pread = durable_pread, .close = durable_close};
	struct overlay_io io = {.ops = &ops};
	struct overlay *o = open_io(&io);
	char block[OVL_BLOCK];

	CHECK(dev_pread(overlay_dev(o), block, sizeof block, (uint64_t)i * OVL_BLOCK) == 0);
	overlay_free(o);
	return block[0] == (char)(i + 1) && block[OVL_BLOCK - 1] == (char)(i + 1);
}

static void *flush(void *arg)
{
	(void)arg;
	CHECK(overlay_flush(t.o) == 0);
	CHECK(is_durable(1));
	return NULL;
}

/* In the first sync of the first flush, which took its copy of the map before. */
static void others_come(void *arg, enum crash_moment when)
{
	struct timespec enough = {.tv_nsec = 200000000};

	(void)arg;
	if (t.begun || when != CRASH_BEFORE_SYNC)
		return;
	t.begun = true;
	write_block(1);
	for (int i = 0; i < WAITERS; i++)
		CHECK(pthread_create(&t.threads[i], NULL, flush, NULL) == 0);
	nanosleep(&enough, NULL); /* until they wait; when they do not yet, less is tested */
}

int main(void)
{
	struct platter_error err;
	struct ovl_header h;

	t.base = testdev_pattern(BLOCKS * OVL_BLOCK);
	CHECK(ovl_header_init(&h, t.base->size, &err) == 0);
	t.io = crashio_new(le64_get(h.file_size), le64_get(h.data_off), 0);
	h.hseq = le64_put(1);
	CHECK(ovl_header_write(&t.io->io, &h, 0) == 0);
	t.o = open_io(&t.io->io);
	CHECK(overlay_begin(t.o) == 0);
	write_block(0);
	t.io->syncs = 0;
	t.io->hook = others_come;
	CHECK(overlay_flush(t.o) == 0);
	CHECK(is_durable(0));
	for (int i = 0; i < WAITERS; i++)
		CHECK(pthread_join(t.threads[i], NULL) == 0);
	CHECK(t.begun && is_durable(1));
	/* Two for the first flush, two for the others'; one that came late finds nothing to do. */
	CHECK(t.io->syncs == 4);
	overlay_free(t.o);
	crashio_free(t.io);
	dev_unref(t.base);
	return 0;
}
