/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill-at PID N [OTHER]: kill -9 process PID when its threads together enter their Nth system call
 * from now on, which is not executed any more. OTHER is killed just before, so that it sees nothing
 * of that. (strace can kill, too, but counts each thread's calls for itself.)
 *
 * Says "ready" when it counts, and at the end "killed at CALL", with the call's number, or "ended
 * after COUNT" calls when PID did that before.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int start_thread(pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) < 0)
		return errno == EPERM ? 0 : -errno; /* it is ours already, or gone */
	/* What it waits in is entered anew, and counted. */
	return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ? 0 : 1;
}

/* Seize every thread, until no new ones are found. The number of them, or -errno. */
static int start(pid_t pid)
{
	char path[64];
	int total = 0, found;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	do {
		DIR *dir = opendir(path);
		struct dirent *e;

		if (!dir)
			return -errno;
		found = 0;
		while ((e = readdir(dir)) != NULL) {
			int r = e->d_name[0] == '.' ? 0 : start_thread(atoi(e->d_name));

			if (r < 0) {
				closedir(dir);
				return r;
			}
			found += r;
		}
		closedir(dir);
		total += found;
	} while (found);
	return total;
}

/* Whether tid stands at the entry of a system call; *call is which. */
static bool enters(pid_t tid, int status, unsigned long long *call)
{
	struct __ptrace_syscall_info info;

	if (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	*call = info.entry.nr;
	return true;
}

/* The signal to resume a stopped thread with: its own, where it is one and not ptrace's. */
static long signal_of(int status)
{
	return status >> 16 || (WSTOPSIG(status) & 0x7f) == SIGTRAP ? 0 : WSTOPSIG(status);
}

int main(int argc, char **argv)
{
	pid_t pid, other, tid;
	unsigned long n, count = 0;
	unsigned long long call, last = 0;
	int status, r;

	if (argc < 3)
		return 2;
	pid = atoi(argv[1]);
	n = strtoul(argv[2], NULL, 10);
	other = argc > 3 ? atoi(argv[3]) : 0;
	r = start(pid);
	if (r <= 0) {
		fprintf(stderr, "kill-at: process %d: %s\n", (int)pid, strerror(-r));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status))
			continue;
		if (count < n && enters(tid, status, &call) && ++count == n) {
			if (other)
				kill(other, SIGKILL);
			kill(pid, SIGKILL);
			last = call;
		}
		if (count < n)
			ptrace(PTRACE_SYSCALL, tid, NULL, signal_of(status));
	}
	if (count == n)
		printf("killed at %llu\n", last);
	else
		printf("ended after %lu\n", count);
	return 0;
}
