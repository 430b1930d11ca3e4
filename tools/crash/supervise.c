/* SPDX-License-Identifier: MIT */
/*
 * The watchdog of a run.
 *
 * Flow: main.c calls run_supervised(), which starts run.c in a new process and waits.
 *
 * Rules:
 * CW1 The run has a mount namespace of its own: its mounts are private, and end with the process.
 * CW2 The run may hang in the kernel, where no signal arrives; the watchdog never waits for a
 *     filesystem of the run, and takes the run's FUSE away when a step takes too long.
 * CW3 If run or watchdog dies, the other cleans up: the run gets SIGTERM when the watchdog dies.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "server.h"

/* CW3: the watchdog may have died before the run could ask for a signal, or during the clean-up. */
static void be_watched(struct run *run, pid_t watchdog)
{
	int status;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != watchdog)
		raise(SIGTERM);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (process_watch_signals())
		_exit(crash_error("signals cannot be watched"));
	status = run_it(run);
	if (getppid() != watchdog)
		undo_by_force(run->undo);
	exit(status);
}

/* Wait for the run; -EDEADLK: it stands still. */
static int watch(pid_t pid, const struct undo_stack *undo)
{
	struct pollfd polls[2] = {{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN},
				  {.fd = process_signal_fd(), .events = POLLIN}};
	int status;

	if (polls[0].fd < 0)
		return -errno;
	for (;;) {
		(void)poll(polls, 2, 500);
		if (polls[0].revents)
			break;
		if (process_signal()) {
			kill(pid, process_signal());
			polls[1].fd = -1; /* the run ends in time */
		}
		if (undo->deadline && server_now() > undo->deadline)
			return -EDEADLK;
	}
	close(polls[0].fd);
	return waitpid(pid, &status, 0) == pid ? status : -errno;
}

static int clean_up(int status, struct undo_stack *undo)
{
	const bool was_killed = status >= 0 && WIFSIGNALED(status);

	undo_by_force(undo);
	if (status == -EDEADLK)
		return crash_error("a step of the run stood still; all was taken away by force");
	if (was_killed)
		return crash_error("the run was ended by signal %d; all was taken away by force",
				   WTERMSIG(status));
	return status >= 0 ? WEXITSTATUS(status) : crash_error("%s", strerror(-status));
}

int run_supervised(const struct run_options *options)
{
	struct run run = {.options = options, .undo = undo_create()};
	const pid_t watchdog = getpid();
	pid_t pid;

	if (!run.undo || process_watch_signals())
		return crash_error("not enough memory");
	if (unshare(CLONE_NEWNS) < 0)
		return crash_error("no mount namespace of its own: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno == EINVAL
			       ? crash_error("/ is no mount point, as in a chroot: type mount "
					     "--rbind DIR DIR for its directory before chroot DIR")
			       : crash_error("/ cannot be made private: %s", strerror(errno));
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return crash_error("no process: %s", strerror(errno));
	if (pid == 0)
		be_watched(&run, watchdog);
	return clean_up(watch(pid, run.undo), run.undo);
}
