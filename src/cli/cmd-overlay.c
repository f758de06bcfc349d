/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status and discard: an overlay from outside. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "json.h"
#include "mounts.h"

/* Have a mount write down what it holds; that it cannot is seen in what it wrote. */
static void sync_mount(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!fsync(fd);
	close(fd);
}

/* The overlay of the mount on dir, or path itself when it is no mount; to be freed. */
static char *overlay_of(const char *path)
{
	char *dir = mounts_resolve(path), *overlay = NULL;
	size_t count;
	struct mount *mounts = mounts_read(&count);

	for (size_t i = 0; dir && i < count; i++)
		if (strcmp(mounts[i].dir, dir) == 0) {
			mounts_ask(&mounts[i]);
			sync_mount(dir);
			free(overlay);
			overlay = mounts[i].overlay ? strdup(mounts[i].overlay) : NULL;
		}
	mounts_free(mounts, count);
	free(dir);
	return overlay ? overlay : strdup(path);
}

static void print_time(const char *what, int64_t at)
{
	time_t t = (time_t)at;
	char text[64];
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	printf("%-14s %s\n", what, text);
}

static void print_status(const char *path, const struct platter_overlay_status *st)
{
	printf("%-14s %s\n", "overlay", path);
	printf("%-14s %s\n", "image", st->base);
	if (st->fits)
		printf("%-14s yes\n", "fits");
	else
		printf("%-14s no: %s\n", "fits", st->misfit);
	printf("%-14s %llu bytes\n", "disk", (unsigned long long)st->virtual_size);
	printf("%-14s %llu blocks of %u bytes\n", "holds", (unsigned long long)st->blocks,
	       st->block_size);
	printf("%-14s %llu bytes\n", "takes", (unsigned long long)st->bytes_on_disk);
	print_time("made", st->created);
	print_time("last opened", st->opened);
	if (st->in_use && st->pid)
		printf("%-14s yes, by process %u\n", "in use", st->pid);
	else
		printf("%-14s %s\n", "in use", st->in_use ? "yes" : "no");
	if (st->clean)
		print_time("closed cleanly", st->closed);
	else if (!st->in_use)
		printf("%-14s no: everything that an fsync covered is there\n", "closed cleanly");
}

static void print_status_json(const char *path, const struct platter_overlay_status *st)
{
	struct json j = {.out = stdout};

	json_open(&j, NULL, '{');
	json_string(&j, "overlay", path);
	json_string_or_null(&j, "image", st->base);
	json_bool(&j, "fits", st->fits);
	json_string_or_null(&j, "misfit", st->misfit);
	json_number(&j, "virtual_size", st->virtual_size);
	json_number(&j, "block_size", st->block_size);
	json_number(&j, "blocks", st->blocks);
	json_number(&j, "bytes_on_disk", st->bytes_on_disk);
	json_number(&j, "created", (uint64_t)st->created);
	json_number(&j, "opened", (uint64_t)st->opened);
	json_bool(&j, "clean", st->clean);
	if (st->closed)
		json_number(&j, "closed", (uint64_t)st->closed);
	else
		json_null(&j, "closed");
	json_bool(&j, "in_use", st->in_use);
	if (st->pid)
		json_number(&j, "pid", st->pid);
	else
		json_null(&j, "pid");
	json_close(&j, '}');
	putchar('\n');
}

int cmd_status(struct cli *cli)
{
	char *path = overlay_of(cli->args[0]);
	struct platter_overlay_status st;
	struct platter_error err;
	int status = EXIT_OK;

	if (!path || !path[0] || strcmp(path, "ram") == 0) {
		complain("%s: %s", cli->args[0],
		         path && path[0] ? "its overlay is in memory" : "has no overlay");
		status = EXIT_IMAGE;
	} else if (platter_overlay_get_status(path, &st, &err) != 0) {
		complain("%s", err.text);
		status = EXIT_IMAGE;
	} else if (cli->json) {
		print_status_json(path, &st);
	} else {
		print_status(path, &st);
	}
	free(path);
	return status;
}

/* Whether the user says yes on the terminal. */
static bool consent(const char *path, const struct platter_overlay_status *st)
{
	char answer[16];

	fprintf(stderr, "%s holds %llu changed blocks of %s. Remove them for ever? [y/N] ", path,
	        (unsigned long long)st->blocks, st->base);
	return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

int cmd_discard(struct cli *cli)
{
	const char *path = cli->args[0];
	struct platter_overlay_status st;
	struct platter_error err;

	if (!cli->yes) {
		if (!isatty(STDIN_FILENO)) {
			complain("discard: removes %s for ever; --yes says that this is meant",
			         path);
			return EXIT_USAGE;
		}
		if (platter_overlay_get_status(path, &st, &err) != 0) {
			complain("%s", err.text);
			return EXIT_IMAGE;
		}
		if (!consent(path, &st)) {
			complain("%s: kept", path);
			return EXIT_USER;
		}
	}
	if (platter_overlay_discard(path, &err) != 0) {
		complain("%s", err.text);
		return EXIT_IMAGE;
	}
	return EXIT_OK;
}
