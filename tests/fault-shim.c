/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into a program, it makes its file calls fail. From the environment:
 *
 *   FAULT_CALL, FAULT_WHEN  the FAULT_WHENth call of this function ends with EIO, undone, counted
 *                           over all threads and forks; the file FAULT_MET is made when it does
 *   FAULT_SHORT             every transfer is cut short, or interrupted before it began
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned *count; /* [0] of the call, [1] of transfers; shared with forks */
static const char *wanted, *met;
static unsigned when;
static bool cut;

__attribute__((constructor)) static void begin(void)
{
	count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count == MAP_FAILED)
		abort();
	wanted = getenv("FAULT_CALL");
	met = getenv("FAULT_MET");
	when = getenv("FAULT_WHEN") ? (unsigned)atoi(getenv("FAULT_WHEN")) : 0;
	cut = getenv("FAULT_SHORT") != NULL;
}

static bool fails(const char *call)
{
	if (!wanted || strcmp(wanted, call) != 0 ||
	    __atomic_add_fetch(&count[0], 1, __ATOMIC_RELAXED) != when)
		return false;
	if (met)
		close(open(met, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	errno = EIO;
	return true;
}

/* How much of a transfer of len bytes is to be done; 0: it is interrupted. */
static size_t part(size_t len)
{
	unsigned n;

	if (!cut || len == 0)
		return len;
	n = __atomic_add_fetch(&count[1], 1, __ATOMIC_RELAXED) * 2654435761u;
	return n >> 30 ? 1 + (n >> 8) % len : 0;
}

#define TRANSFER(call, name, buffer)                                                               \
	ssize_t name(int fd, buffer buf, size_t len, off_t off)                                    \
	{                                                                                          \
		static ssize_t (*real)(int, buffer, size_t, off_t);                                \
		size_t n = part(len);                                                              \
                                                                                                   \
		if (!real)                                                                         \
			real = (ssize_t(*)(int, buffer, size_t, off_t))dlsym(RTLD_NEXT, #name);    \
		if (fails(#call))                                                                  \
			return -1;                                                                 \
		if (len && !n) {                                                                   \
			errno = EINTR;                                                             \
			return -1;                                                                 \
		}                                                                                  \
		return real(fd, buf, n, off);                                                      \
	}

TRANSFER(pread, pread, void *)
TRANSFER(pread, pread64, void *)
TRANSFER(pwrite, pwrite, const void *)
TRANSFER(pwrite, pwrite64, const void *)

#define SYNC(call, name)                                                                           \
	int name(int fd)                                                                           \
	{                                                                                          \
		static int (*real)(int);                                                           \
                                                                                                   \
		if (!real)                                                                         \
			real = (int (*)(int))dlsym(RTLD_NEXT, #name);                              \
		return fails(#call) ? -1 : real(fd);                                               \
	}

SYNC(fsync, fsync)
SYNC(fdatasync, fdatasync)

#define ALLOCATE(call, name)                                                                       \
	int name(int fd, int mode, off_t off, off_t len)                                           \
	{                                                                                          \
		static int (*real)(int, int, off_t, off_t);                                        \
                                                                                                   \
		if (!real)                                                                         \
			real = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, #name);           \
		if (fails(#call))                                                                  \
			return -1;                                                                 \
		if (!part(1)) {                                                                    \
			errno = EINTR;                                                             \
			return -1;                                                                 \
		}                                                                                  \
		return real(fd, mode, off, len);                                                   \
	}

ALLOCATE(fallocate, fallocate)
ALLOCATE(fallocate, fallocate64)
