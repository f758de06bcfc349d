/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checked entrances of struct dev, windows on windows, references, tables. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "ondisk.h"
#include "testdev.h"

static void ranges_are_checked_once_for_all(void)
{
	struct dev *d = testdev_pattern(1000);
	char buf[64];

	CHECK(dev_pread(d, buf, 64, 936) == 0 && testdev_is_pattern(buf, 64, 936));
	CHECK(dev_pread(d, buf, 64, 937) == -EIO);
	CHECK(dev_pread(d, buf, 1, 1000) == -EIO);
	CHECK(dev_pread(d, buf, 1, UINT64_MAX) == -EIO);
	CHECK(dev_pread(d, buf, 0, 1000) == 0);
	CHECK(dev_pread(d, buf, 0, 1001) == -EIO);
	CHECK(dev_pwrite(d, buf, 1, 0) == -EROFS);
	CHECK(dev_zero(d, 0, 1) == -EROFS);
	CHECK(dev_flush(d) == 0);
	dev_unref(d);
}

static void writes_past_the_end_are_enospc(void)
{
	struct dev *d;
	char buf[8] = "";

	CHECK(dev_memory("0123456789", 10, true, &d) == 0);
	CHECK(dev_pwrite(d, "abc", 3, 7) == 0);
	CHECK(dev_pwrite(d, "abc", 3, 8) == -ENOSPC);
	CHECK(dev_zero(d, 9, 2) == -ENOSPC);
	CHECK(dev_zero(d, 0, UINT64_MAX) == -ENOSPC);
	CHECK(dev_pread(d, buf, 4, 6) == 0 && memcmp(buf, "6abc", 4) == 0);
	dev_unref(d);
}

static void a_window_on_a_window_reads_the_sum(void)
{
	struct dev *d = testdev_pattern(1 << 20), *w, *v, *none;
	char buf[100];

	CHECK(dev_window(d, 1000, 5000, &w) == 0);
	CHECK(dev_window(w, 200, 300, &v) == 0);
	CHECK(dev_window(w, 4999, 2, &none) == -EINVAL && !none);
	CHECK(dev_window(w, UINT64_MAX, 2, &none) == -EINVAL);
	dev_unref(d); /* the windows hold it */
	CHECK(dev_pread(v, buf, 100, 7) == 0 && testdev_is_pattern(buf, 100, 1207));
	CHECK(dev_pread(v, buf, 100, 201) == -EIO);
	dev_unref(w);
	CHECK(dev_pread(v, buf, 1, 299) == 0);
	dev_unref(v);
}

static void a_table_is_bounded_before_it_is_allocated(void)
{
	struct dev *d = testdev_pattern(4096);
	struct platter_error err;
	void *table;

	CHECK(dev_read_table(d, 1024, 8, 128, 4096, "table", &table, &err) == 0);
	CHECK(testdev_is_pattern(table, 1024, 1024));
	free(table);
	CHECK(dev_read_table(d, 0, 33, 128, 4096, "table", &table, &err) == -EFBIG && !table);
	CHECK(strstr(err.text, "33 entries") && strstr(err.text, "4096"));
	CHECK(dev_read_table(d, 1, 32, 128, 4096, "table", &table, &err) == -EIO && !table);
	CHECK(dev_read_table(d, 0, UINT64_MAX / 64, 128, 4096, "table", &table, &err) == -EFBIG);
	CHECK(dev_read_table(d, UINT64_MAX, 1, 128, 4096, "table", &table, &err) == -EIO);
	CHECK(dev_read_table(d, 4096, 0, 128, 4096, "table", &table, &err) == 0 && !table);
	dev_unref(d);
}

static void a_failing_device_is_an_error_all_the_way_up(void)
{
	struct testdev_log log = {.fail = ENODEV, .after = 1};
	struct dev *d = testdev_pattern(4096), *l = testdev_logging(d, &log), *w;
	struct platter_error err;
	void *table;
	char buf[8];

	CHECK(dev_window(l, 512, 1024, &w) == 0);
	CHECK(dev_pread(w, buf, 8, 0) == 0 && log.last_off == 512);
	CHECK(dev_pread(w, buf, 8, 0) == -ENODEV);
	CHECK(dev_read_table(w, 0, 1, 128, 4096, "table", &table, &err) == -ENODEV && !table);
	CHECK(log.preads == 3);
	dev_unref(w);
	dev_unref(l);
	dev_unref(d);
}

static void seek_finds_data_and_holes(void)
{
	struct dev *d = testdev_pattern(4096);
	uint64_t at;

	CHECK(dev_seek(d, 10, true, &at) == 0 && at == 10);
	CHECK(dev_seek(d, 10, false, &at) == 0 && at == 4096);
	CHECK(dev_seek(d, 4096, true, &at) == -ENXIO);
	CHECK(dev_seek(d, 4096, false, &at) == -ENXIO);
	dev_unref(d);
}

static void on_disk_integers_have_an_end(void)
{
	static const uint8_t b[8] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
	uint64_t sum;
	le64 l;
	be64 g;

	memcpy(&l, b, 8);
	memcpy(&g, b, 8);
	CHECK(le64_get(l) == 0xf0debc9a78563412u && be64_get(g) == 0x123456789abcdef0u);
	CHECK(le64_get(le64_put(0x0102030405060708u)) == 0x0102030405060708u);
	CHECK(!ckd_add64(&sum, UINT64_MAX, 1) && ckd_add64(&sum, UINT64_MAX, 0));
	CHECK(!ckd_mul64(&sum, 1ull << 32, 1ull << 32) && ckd_mul64(&sum, 1ull << 32, 1u << 31));
	CHECK(range_ok(10, 0, 10) && !range_ok(11, 0, 10) && !range_ok(UINT64_MAX, 2, 10));
}

int main(void)
{
	ranges_are_checked_once_for_all();
	writes_past_the_end_are_enospc();
	a_window_on_a_window_reads_the_sum();
	a_table_is_bounded_before_it_is_allocated();
	a_failing_device_is_an_error_all_the_way_up();
	seek_finds_data_and_holes();
	on_disk_integers_have_an_end();
	return 0;
}
