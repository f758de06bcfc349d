/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file whose first bytes cannot be read is refused for that by every format, and by all of them
 * together: it is not taken for another format, nor for raw. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "drivers.h"
#include "image.h"
#include "testdev.h"

/* What opens without a look at the file: raw has no head, and these are known by names. */
static bool looks_at_names(const struct format_driver *format)
{
	return format->bundle || strcmp(format->name, "split-raw") == 0 ||
	       strcmp(format->name, "raw") == 0;
}

static void refused(struct cache *cache, const char *name)
{
	struct testdev_log log = {.fail = EIO};
	struct dev *lower = testdev_pattern(1 << 16), *dev = testdev_logging(lower, &log);
	struct image_request req = {.format = name, .cache = cache};
	struct platter_error err = {.text = ""};
	struct image *image;
	int r = image_open_dev(dev, &req, &image, &err);

	if (r != -EIO || !strstr(err.text, strerror(EIO))) {
		fprintf(stderr, "%s: %d, %s\n", name ? name : "any", r, err.text);
		exit(1);
	}
	dev_unref(dev);
	dev_unref(lower);
}

int main(void)
{
	struct cache *cache = cache_new(1 << 20);

	CHECK(cache);
	refused(cache, NULL);
	for (size_t i = 0; format_drivers[i]; i++)
		if (!looks_at_names(format_drivers[i]))
			refused(cache, format_drivers[i]->name);
	cache_free(cache);
	return 0;
}
