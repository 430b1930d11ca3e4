/* SPDX-License-Identifier: MIT */
/*
 * Processes that a run starts, each in a session of its own and with a limit.
 *
 * Flow: run.c starts the work, mkfs and the checks.
 */
#ifndef CRASH_PROCESS_H
#define CRASH_PROCESS_H

#include <sys/types.h>

/* The shell runs `command`.  Standard streams as given, -1: /dev/null.  A pid or a negative errno.
 */
pid_t process_start(const char *command, int in, int out, int err);

/*
 * Wait for it.  Returns the status of waitpid(2); -ETIMEDOUT: killed after `limit` milliseconds;
 * -EINTR: killed because the run has to end; -EDEADLK: the process cannot be killed.
 */
int process_wait(pid_t pid, int limit);

/* Block SIGINT, SIGTERM and SIGHUP and watch for them. */
int process_watch_signals(void);

/* Was the run told to end?  The number of the signal, or 0. */
int process_signal(void);

/* The descriptor for poll(2) to watch for the end of the run. */
int process_signal_fd(void);

/*
 * Kill all remaining processes started by this process, in any session, except the given two.
 * Orphans are children of this process, a subreaper, too.
 */
void process_kill_descendants(pid_t spared, pid_t also_spared);

#endif /* CRASH_PROCESS_H */
