/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list: what is mounted, as the mounts themselves say it. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "mounts.h"

static const char *state(const struct mount *m)
{
	return m->stale ? "stale" : m->covered ? "covered" : m->answers ? m->verb : "not yours";
}

static void print_json(const struct mount *mounts, size_t count)
{
	struct json j = {.out = stdout};

	json_open(&j, NULL, '[');
	for (size_t i = 0; i < count; i++) {
		const struct mount *m = &mounts[i];

		json_open(&j, NULL, '{');
		json_string(&j, "image", m->image);
		json_string(&j, "dir", m->dir);
		json_string(&j, "state", state(m));
		json_string_or_null(&j, "overlay", m->overlay);
		json_number(&j, "pid", (uint64_t)m->daemon);
		json_number(&j, "supervisor", (uint64_t)m->supervisor);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	putchar('\n');
}

int cmd_list(struct cli *cli)
{
	size_t count;
	struct mount *mounts = mounts_read(&count);

	if (!mounts) {
		complain("no memory");
		return EXIT_SYSTEM;
	}
	for (size_t i = 0; i < count; i++)
		mounts_ask(&mounts[i]);
	if (cli->json) {
		print_json(mounts, count);
	} else {
		for (size_t i = 0; i < count; i++) {
			const struct mount *m = &mounts[i];

			printf("%s on %s (%s", m->image, m->dir, state(m));
			if (m->overlay && m->overlay[0])
				printf(", overlay %s", m->overlay);
			if (m->daemon)
				printf(", pid %d", (int)m->daemon);
			puts(m->stale ? "; platter umount cleans it)" : ")");
		}
	}
	mounts_free(mounts, count);
	return EXIT_OK;
}
