/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "holders.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool link_is_below(const char *link, const char *dir)
{
	char target[4096];
	ssize_t n = readlink(link, target, sizeof target - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return is_below(target, dir);
}

/* Whether the process whose /proc folder is given uses dir; *how says with what. */
static bool uses(const char *proc, const char *dir, const char **how)
{
	static const char *const links[] = {"cwd", "root", "exe"};
	char path[512];
	struct dirent *e;
	bool found = false;
	DIR *d;

	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		snprintf(path, sizeof path, "%s/%s", proc, links[i]);
		*how = links[i];
		if (link_is_below(path, dir))
			return true;
	}
	snprintf(path, sizeof path, "%s/fd", proc);
	*how = "an open file";
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		snprintf(path, sizeof path, "%s/fd/%.200s", proc, e->d_name);
		found = link_is_below(path, dir);
	}
	if (d)
		closedir(d);
	return found;
}

static void name_process(const char *proc, char *out, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/comm", proc);
	f = fopen(path, "re");
	if (!f || !fgets(out, (int)size, f))
		snprintf(out, size, "?");
	out[strcspn(out, "\n")] = '\0';
	if (f)
		fclose(f);
}

static bool print_processes(const char *dir)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (d && (e = readdir(d))) {
		char proc[300], name[64];
		const char *how;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(proc, sizeof proc, "/proc/%s", e->d_name);
		if (!uses(proc, dir, &how))
			continue;
		name_process(proc, name, sizeof name);
		complain("%s: is busy: process %s (%s) has it as %s", dir, e->d_name, name, how);
		found = true;
	}
	if (d)
		closedir(d);
	return found;
}

bool holders_print_loops(const char *dir)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;
	bool found = false;

	while (d && (e = readdir(d))) {
		char path[512], backing[4096];
		FILE *f;

		if (strncmp(e->d_name, "loop", 4) != 0)
			continue;
		snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", e->d_name);
		f = fopen(path, "re");
		if (f && fgets(backing, sizeof backing, f)) {
			backing[strcspn(backing, "\n")] = '\0';
			if (is_below(backing, dir)) {
				complain("%s: is busy: loop device /dev/%s is on %s", dir,
				         e->d_name, backing);
				found = true;
			}
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return found;
}

bool holders_print(const char *dir)
{
	bool processes = print_processes(dir), loops = holders_print_loops(dir);

	return processes || loops;
}
