/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file whose first bytes cannot be read is refused for that by every format, and by all of them
 * together: it is not taken for another format, nor for raw. Nor is an archive for lack of its end,
 * by which a volume of AFF4 is known (what is no archive is not read there), or a gzip file that
 * cannot be read at some later point, which is known by what can be unpacked.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cache.h"
#include "drivers.h"
#include "image.h"
#include "ondisk.h"
#include "testdev.h"

/* What opens without a look at the file: raw has no head, and these are known by names. */
static bool looks_at_names(const struct format_driver *format)
{
	return format->bundle || strcmp(format->name, "split-raw") == 0 ||
	       strcmp(format->name, "raw") == 0;
}

/* Reads of lower fail from the one numbered `after` on, and it is refused for that. */
static void refused(struct cache *cache, const char *name, struct dev *lower, unsigned after,
                    const char *text)
{
	struct testdev_log log = {.fail = EIO, .after = after};
	struct dev *dev = testdev_logging(lower, &log);
	struct image_request req = {.format = name, .cache = cache};
	struct platter_error err = {.text = ""};
	struct image *image;
	int r = image_open_dev(dev, &req, &image, &err);

	if (r != -EIO || !strstr(err.text, strerror(EIO)) || !strstr(err.text, text)) {
		fprintf(stderr, "%s: %d, %s\n", name ? name : "any", r, err.text);
		exit(1);
	}
	dev_unref(dev);
}

#define END     22u
#define COMMENT 65535u /* so long that what is before the end record is read for itself */

static void archives(struct cache *cache)
{
	static uint8_t bytes[64 + END + COMMENT] = {'P', 'K', 3, 4};
	struct testdev_log log = {.fail = 0};
	struct image_request req = {.format = "aff4", .cache = cache};
	struct platter_error err;
	struct image *image;
	struct dev *lower, *dev;

	memcpy(bytes + 64, "PK\5\6", 4);
	bytes[64 + END - 2] = bytes[64 + END - 1] = 0xff;
	memcpy(bytes + 64 + END, "aff4://v", 8);
	CHECK(dev_memory(bytes, sizeof bytes, false, &lower) == 0);
	refused(cache, "aff4", lower, 1, "its last");
	refused(cache, "aff4", lower, 2, "before the archive's end record");
	dev_unref(lower);

	lower = testdev_pattern(sizeof bytes);
	dev = testdev_logging(lower, &log);
	CHECK(image_open_dev(dev, &req, &image, &err) < 0);
	CHECK(log.preads == 1);
	dev_unref(dev);
	dev_unref(lower);
}

/* One member of one stored block. */
static struct dev *gzip_file(void)
{
	uint8_t file[10 + 5 + 4096 + 8] = {0x1f, 0x8b, 8, [9] = 3}, *p = file + 10;
	le32 crc, size = le32_put(4096);
	le16 len = le16_put(4096), not_len = le16_put((uint16_t)~4096);
	struct dev *dev;

	p[0] = 1;
	memcpy(p + 1, len.b, 2);
	memcpy(p + 3, not_len.b, 2);
	p += 5;
	memset(p, 'x', 4096);
	crc = le32_put((uint32_t)crc32(0, p, 4096));
	memcpy(p + 4096, crc.b, 4);
	memcpy(p + 4100, size.b, 4);
	CHECK(dev_memory(file, sizeof file, false, &dev) == 0);
	return dev;
}

/* With a later read failing each time, until none does. Some are for what may be missing, such as a
 * footer of another format; it is gzip then, and in no case anything else. */
static void gzip_or_refused(struct cache *cache)
{
	struct dev *lower = gzip_file();
	bool failed = true;

	for (unsigned after = 0; failed; after++) {
		struct testdev_log log = {.fail = EIO, .after = after, .once = true};
		struct dev *dev = testdev_logging(lower, &log);
		struct image_request req = {.cache = cache};
		struct platter_error err = {.text = ""};
		struct image *image = NULL;
		char name[64] = "";
		int r = image_open_dev(dev, &req, &image, &err);

		failed = log.fail == 0;
		if (!r)
			image_format_name(image, name, sizeof name);
		if (r ? r != -EIO || !strstr(err.text, strerror(EIO)) : strcmp(name, "gzip") != 0) {
			fprintf(stderr, "%u reads: %d, %s%s\n", after, r, err.text, name);
			exit(1);
		}
		image_close(image);
		dev_unref(dev);
	}
	dev_unref(lower);
}

int main(void)
{
	struct cache *cache = cache_new(1 << 20);
	struct dev *any = testdev_pattern(1 << 16);

	CHECK(cache);
	refused(cache, NULL, any, 0, "");
	for (size_t i = 0; format_drivers[i]; i++)
		if (!looks_at_names(format_drivers[i]))
			refused(cache, format_drivers[i]->name, any, 0, "");
	dev_unref(any);
	archives(cache);
	gzip_or_refused(cache);
	cache_free(cache);
	return 0;
}
