/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * umount: detach, wait until the daemon and its supervisor are gone, and say what was kept. The
 * overlay's own header says whether all of it is on disk.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "holders.h"
#include "mounts.h"

static int open_process(pid_t pid)
{
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/* Long enough for any flush but that of a slow disk; then one wants to know why. */
#define SILENCE_MS 3000

static void wait_for_process(const struct mount *m, int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int wait_ms = SILENCE_MS, r;

	if (pidfd < 0)
		return;
	while ((r = poll(&p, 1, wait_ms)) == 0 || (r < 0 && errno == EINTR)) {
		if (r == 0)
			complain("%s: waiting for its daemon, which is flushing, or still serves "
			         "another mount namespace",
			         m->dir);
		wait_ms = -1;
	}
	close(pidfd);
}

static int say_what_was_kept(const struct cli *cli, const struct mount *m)
{
	struct platter_overlay_status st;
	struct platter_error err;

	if (!m->overlay || !m->overlay[0] || !m->writable)
		return EXIT_OK;
	if (strcmp(m->overlay, "ram") == 0) {
		if (!cli->quiet)
			printf("%s: the changes were in memory and are gone\n", m->image);
		return EXIT_OK;
	}
	if (platter_overlay_get_status(m->overlay, &st, &err) != 0) {
		complain("%s", err.text);
		return EXIT_SYSTEM;
	}
	/* Somebody who attached it meanwhile found it closed and has it open again. */
	if (!st.clean && !st.in_use) {
		complain("%s: was not closed cleanly: changes since the last fsync may be lost",
		         m->overlay);
		return EXIT_SYSTEM;
	}
	if (!cli->quiet)
		printf("%s: changes kept in %s: %llu blocks of %u bytes\n", m->image, m->overlay,
		       (unsigned long long)st.blocks, st.block_size);
	return EXIT_OK;
}

static int clean_stale(const struct cli *cli, const struct mount *m)
{
	int r = mounts_detach(m->dir, true);

	if (r) {
		complain("%s: a dead mount that cannot be detached: %s", m->dir, strerror(-r));
		return EXIT_SYSTEM;
	}
	if (!cli->quiet)
		printf("%s: its daemon was gone; the dead mount is cleaned away\n", m->dir);
	return EXIT_OK;
}

/* Whoever only looks (`platter list` opens the root to ask it) is gone in a moment. */
static int detach_patiently(const struct cli *cli, const struct mount *m)
{
	struct timespec step = {.tv_nsec = 20000000};
	int r = mounts_detach(m->dir, cli->lazy);

	for (int tries = 0; r == -EBUSY && tries < 10; tries++) {
		nanosleep(&step, NULL);
		r = mounts_detach(m->dir, cli->lazy);
	}
	return r;
}

static int umount_one(const struct cli *cli, const struct mount *m)
{
	int daemon, supervisor, r;

	if (m->stale)
		return clean_stale(cli, m);
	if (m->covered) {
		complain("%s: something else is mounted on top of it", m->dir);
		return EXIT_SYSTEM;
	}
	daemon = open_process(m->daemon);
	supervisor = open_process(m->supervisor);
	r = detach_patiently(cli, m);
	if (r) {
		if (daemon >= 0)
			close(daemon);
		if (supervisor >= 0)
			close(supervisor);
		if (r == -EBUSY && holders_print(m->dir))
			return EXIT_SYSTEM;
		complain("%s: %s", m->dir,
		         r == -EBUSY ? "is busy; -l detaches it all the same" : strerror(-r));
		return EXIT_SYSTEM;
	}
	/* Lazily, it goes on until the last one lets go: that may be never. */
	if (cli->lazy && m->answers) {
		struct pollfd p = {.fd = supervisor, .events = POLLIN};

		if (supervisor >= 0 && poll(&p, 1, 1000) == 0) {
			if (!cli->quiet)
				printf("%s: detached; still in use, and served until that ends\n",
				       m->dir);
			close(daemon);
			close(supervisor);
			return EXIT_OK;
		}
	}
	wait_for_process(m, daemon);
	wait_for_process(m, supervisor);
	if (!m->answers) {
		complain("%s: detached, but it did not answer: its daemon may still be flushing",
		         m->dir);
		return EXIT_SYSTEM;
	}
	return say_what_was_kept(cli, m);
}

/* The mounts that were meant: all, that on a directory, or those of an image. */
static bool is_meant(const struct cli *cli, const char *dir, const char *image,
                     const struct mount *m)
{
	return cli->all || (dir && strcmp(m->dir, dir) == 0) ||
	       (image && strcmp(m->image, image) == 0);
}

int cmd_umount(struct cli *cli)
{
	const char *what = cli->nargs ? cli->args[0] : NULL;
	bool ram = what && strncmp(what, CLI_RAM, strlen(CLI_RAM)) == 0;
	char *dir = what ? mounts_resolve(what) : NULL;
	char *image = ram ? strdup(what) : what ? realpath(what, NULL) : NULL;
	size_t count, found = 0;
	struct mount *mounts = mounts_read(&count);
	int status = EXIT_OK;

	/* The last mount first: one may stand on another. */
	for (size_t i = count; i-- > 0;) {
		int r;

		if (!is_meant(cli, dir, image, &mounts[i]))
			continue;
		found++;
		mounts_ask(&mounts[i]);
		r = umount_one(cli, &mounts[i]);
		status = status ? status : r;
	}
	if (!found && !cli->all) {
		complain("%s: no platter mount", what);
		status = EXIT_SYSTEM;
	}
	mounts_free(mounts, count);
	free(image);
	free(dir);
	return status;
}
