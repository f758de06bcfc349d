/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions in which a child does the work and is killed, in any call to the file or a number of
 * instructions after one, and its parent closes the overlay, as platter's supervisor does: what
 * the child had acknowledged has to be there then.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explore.h"

/* The flags of struct shared and of its first pages. */
#define SHARED_FLAGS 128
/* More than there are between the calls of a flush, but for the copying of pages. */
#define STEPS 1000

static void serve(void)
{
	x.child = true;
	x.exploring = false;
	x.end_in = 0;
	if (x.stop_for_steps)
		x.racer_in = 0;
	x.fail_sync_in = random_below(8) == 0 ? 1 + random_below(8) : 0;
	x.kill_when_failed = random_below(2);
	x.fail_pwrite_in = random_below(16) == 0 ? 1 + random_below(30) : 0;
	if (x.stop_for_steps && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		x.stop_for_steps = false; /* not allowed here: killed in the call itself */
	explore_work(3 + random_below(x.by_steps ? 8 : 25));
	if (random_below(2))
		explore_finish();
	_exit(0);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return status;
}

/*
 * The child has stopped in a call: let it run that many instructions more, or until it has made
 * that many changes to what the overlay shares, or to the end of the flush; in any case to the
 * end of what it notes for this test.
 */
static int step(pid_t pid, uint32_t instructions, uint32_t changes)
{
	uint8_t before[SHARED_FLAGS];
	int status = 0;

	memcpy(before, x.shared, sizeof before);
	while ((instructions > 0 && changes > 0 &&
	        __atomic_load_n(&x.m->flushing, __ATOMIC_SEQ_CST)) ||
	       __atomic_load_n(&x.io->recording, __ATOMIC_SEQ_CST)) {
		instructions -= instructions > 0;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			break;
		status = wait_for(pid);
		if (!WIFSTOPPED(status))
			return status;
		if (changes > 0 && memcmp(before, x.shared, sizeof before)) {
			changes--;
			memcpy(before, x.shared, sizeof before);
		}
	}
	kill(pid, SIGKILL);
	return wait_for(pid);
}

static void run_child(void)
{
	uint32_t changes;
	int status;
	pid_t pid;

	x.stop_for_steps = x.by_steps;
	x.kill_in = 1 + random_below(x.by_steps ? 8 : 60);
	changes = 1 + random_below(4);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		serve();
	status = wait_for(pid);
	if (WIFSTOPPED(status))
		status = step(pid, STEPS, changes);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		_exit(1); /* it has said why */
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0)
		lost("the child ended with status %#x", (unsigned)status);
}

enum ending explore_supervised(void)
{
	if (!explore_open())
		return ENDS_KILLED;
	run_child();
	x.io->show_cut = false;
	x.io->fail_sync = x.io->fail_pwrite = 0;
	x.exploring = !x.by_steps || random_below(8) == 0;
	/* The supervisor may meet the end of everything as well. */
	x.end_at_map = false;
	x.end_in = random_below(3) == 0 ? 1 + random_below(16) : 0;
	if (explore_finish() == 0)
		explore_cuts(2 * x.cuts);
	return random_below(2) ? ENDS_CLOSED : ENDS_POWER_CUT;
}
