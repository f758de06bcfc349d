/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "testdev.h"

#include <string.h>

static unsigned char pattern_byte(uint64_t off)
{
	return (unsigned char)((off & ~7ull) >> (56 - 8 * (off & 7)));
}

static int pattern_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	(void)dev;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = pattern_byte(off + i);
	return 0;
}

bool testdev_is_pattern(const void *buf, size_t len, uint64_t off)
{
	for (size_t i = 0; i < len; i++)
		if (((const unsigned char *)buf)[i] != pattern_byte(off + i))
			return false;
	return true;
}

static void pattern_close(struct dev *dev)
{
	free(dev);
}

static const struct dev_ops pattern_ops = {.pread = pattern_pread, .close = pattern_close};

struct dev *testdev_pattern(uint64_t size)
{
	struct dev *dev = malloc(sizeof *dev);

	CHECK(dev);
	dev_init(dev, &pattern_ops, size);
	return dev;
}

struct logging {
	struct dev dev;
	struct dev *lower;
	struct testdev_log *log;
};

static int fault(struct testdev_log *log, size_t len, uint64_t off)
{
	log->last_len = len;
	log->last_off = off;
	if (!log->fail)
		return 0;
	if (log->after == 0) {
		int fail = log->fail;

		if (log->once)
			log->fail = 0;
		return -fail;
	}
	log->after--;
	return 0;
}

static int logging_pread(struct dev *dev, void *buf, size_t len, uint64_t off)
{
	struct logging *l = (struct logging *)dev;
	int r = fault(l->log, len, off);

	__atomic_add_fetch(&l->log->preads, 1, __ATOMIC_RELAXED);
	return r ? r : dev_pread(l->lower, buf, len, off);
}

static int logging_pwrite(struct dev *dev, const void *buf, size_t len, uint64_t off)
{
	struct logging *l = (struct logging *)dev;
	int r = fault(l->log, len, off);

	l->log->pwrites++;
	return r ? r : dev_pwrite(l->lower, buf, len, off);
}

static int logging_zero(struct dev *dev, uint64_t off, uint64_t len)
{
	struct logging *l = (struct logging *)dev;
	int r = fault(l->log, (size_t)len, off);

	l->log->zeros++;
	return r ? r : dev_zero(l->lower, off, len);
}

static int logging_flush(struct dev *dev)
{
	struct logging *l = (struct logging *)dev;
	int r = fault(l->log, 0, 0);

	l->log->flushes++;
	return r ? r : dev_flush(l->lower);
}

static void logging_close(struct dev *dev)
{
	struct logging *l = (struct logging *)dev;

	dev_unref(l->lower);
	free(l);
}

static const struct dev_ops logging_ops = {
	.pread = logging_pread,
	.pwrite = logging_pwrite,
	.zero = logging_zero,
	.flush = logging_flush,
	.close = logging_close,
};

struct dev *testdev_logging(struct dev *lower, struct testdev_log *log)
{
	struct logging *l = malloc(sizeof *l);

	CHECK(l);
	dev_init(&l->dev, &logging_ops, lower->size);
	l->lower = dev_ref(lower);
	l->log = log;
	return &l->dev;
}
