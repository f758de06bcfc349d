/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		unsigned c;

		if (s[0] == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*out++ = (char)c;
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* One line of mountinfo (proc(5)); false when it is no mount of ours. */
static bool parse_line(char *line, struct mount *m)
{
	static const char type[] = "- fuse.platter ";
	char *fields[6], *rest = line, *dash;

	for (int i = 0; i < 6; i++)
		if (!(fields[i] = strsep(&rest, " ")) || !rest)
			return false;
	/* After any number of optional fields comes a dash by itself. */
	for (dash = rest; dash && strncmp(dash, "- ", 2) != 0;)
		if ((dash = strchr(dash, ' ')))
			dash++;
	if (!dash || strncmp(dash, type, strlen(type)) != 0 || sscanf(fields[0], "%u", &m->id) != 1)
		return false;
	rest = dash + strlen(type);
	m->dir = strdup(fields[4]);
	m->image = strndup(rest, strcspn(rest, " \n"));
	if (!m->dir || !m->image) {
		free(m->dir);
		free(m->image);
		return false;
	}
	unescape(m->dir);
	unescape(m->image);
	return true;
}

static void take_line(struct mount *m, const char *key, const char *value)
{
	if (strcmp(key, "verb") == 0)
		m->verb = strdup(value);
	else if (strcmp(key, "writable") == 0)
		m->writable = strcmp(value, "1") == 0;
	else if (strcmp(key, "control") == 0)
		m->control = strdup(value);
	else if (strcmp(key, "daemon") == 0)
		m->daemon = (pid_t)atol(value);
	else if (strcmp(key, "supervisor") == 0)
		m->supervisor = (pid_t)atol(value);
}

unsigned mounts_id(const char *dir)
{
	int fd = open(dir, O_PATH | O_CLOEXEC | O_DIRECTORY);
	char path[64], *line = NULL;
	size_t size = 0;
	unsigned id = 0;
	FILE *f;

	if (fd < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && id == 0 && getline(&line, &size, f) > 0)
		if (sscanf(line, "mnt_id: %u", &id) != 1)
			id = 0;
	free(line);
	if (f)
		fclose(f);
	close(fd);
	return id;
}

void mounts_ask(struct mount *m)
{
	char text[MOUNT_DESCRIPTION_MAX] = "", *rest = text, *line;
	int fd;

	m->covered = mounts_id(m->dir) != m->id;
	if (m->covered)
		return;
	fd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, MOUNT_IOC_DESCRIBE, text) < 0) {
		m->stale = errno == ENOTCONN || errno == ECONNABORTED;
		if (fd >= 0)
			close(fd);
		return;
	}
	close(fd);
	text[sizeof text - 1] = '\0';
	while ((line = rest)) {
		char *value;

		if (strncmp(line, "overlay=", 8) == 0) {
			m->overlay = strdup(line + 8);
			break;
		}
		strsep(&rest, "\n");
		value = strchr(line, '=');

		if (!value)
			continue;
		*value = '\0';
		take_line(m, line, value + 1);
	}
	m->answers = true;
}

struct mount *mounts_read(size_t *count)
{
	struct mount *mounts = calloc(1, sizeof *mounts), *grown;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	*count = 0;
	while (mounts && f && getline(&line, &size, f) > 0) {
		struct mount m = {0};

		if (!parse_line(line, &m))
			continue;
		grown = reallocarray(mounts, *count + 1, sizeof *mounts);
		if (!grown) {
			free(m.dir);
			free(m.image);
			break;
		}
		mounts = grown;
		mounts[(*count)++] = m;
	}
	free(line);
	if (f)
		fclose(f);
	return mounts;
}

void mounts_free(struct mount *mounts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(mounts[i].dir);
		free(mounts[i].image);
		free(mounts[i].verb);
		free(mounts[i].overlay);
		free(mounts[i].control);
	}
	free(mounts);
}

/* The absolute form of folder/name, where name need not answer; frees nothing. */
static char *join(const char *folder, const char *name)
{
	char *real = realpath(folder, NULL), *full = NULL;

	if (real && asprintf(&full, "%s/%s", strcmp(real, "/") ? real : "", name) < 0)
		full = NULL;
	free(real);
	return full;
}

char *mounts_resolve(const char *path)
{
	char *copy = strdup(path), *slash, *full;
	const char *name;
	struct stat st;

	if (!copy)
		return NULL;
	for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	/* A dead mount is no link and answers nothing, so its own name must do. */
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (strcmp(name, "") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    (lstat(copy, &st) == 0 && S_ISLNK(st.st_mode))) {
		full = realpath(copy, NULL);
	} else {
		if (slash)
			*slash = '\0';
		full = join(slash == copy ? "/" : slash ? copy : ".", name);
	}
	free(copy);
	return full;
}

/*
 * fusermount3 may do for users what umount(2) does for root. It fails with one status for every
 * reason and names the reason, which is the system's own text, on stderr.
 */
static int run_fusermount(const char *dir, bool lazy)
{
	char said[512] = "";
	int status, ends[2];
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--", dir, NULL);
		_exit(127);
	}
	close(ends[1]);
	while (pid > 0 && used + 1 < sizeof said &&
	       (n = read(ends[0], said + used, sizeof said - 1 - used)) > 0)
		used += (size_t)n;
	close(ends[0]);
	if (pid < 0)
		return -EAGAIN;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return strstr(said, strerror(EBUSY)) ? -EBUSY : -EPERM;
}

int mounts_detach(const char *dir, bool lazy)
{
	if (umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	return errno == EPERM ? run_fusermount(dir, lazy) : -errno;
}

void mounts_clean(const char *dir)
{
	size_t count;
	struct mount *mounts = mounts_read(&count);

	/* Only asking tells: the kernel goes on answering from its caches what it can. */
	for (size_t i = count; i-- > 0;)
		if (strcmp(mounts[i].dir, dir) == 0) {
			mounts_ask(&mounts[i]);
			if (mounts[i].stale)
				mounts_detach(dir, true);
		}
	mounts_free(mounts, count);
}
