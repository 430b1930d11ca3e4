/* SPDX-License-Identifier: MIT */
/*
 * Processes that a run starts (process.h).
 *
 * Flow: a leaf of run.c and supervise.c.
 */
#define _GNU_SOURCE
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int signal_fd = -1, signal_seen;

static void stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

int process_watch_signals(void)
{
	sigset_t set;

	stop_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	/*
	 * An inherited descriptor answers for this process as well, but two processes are never
	 * confused.
	 */
	if (signal_fd >= 0)
		close(signal_fd);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return signal_fd < 0 ? -errno : 0;
}

int process_signal(void)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signal_seen = (int)info.ssi_signo;
	return signal_seen;
}

int process_signal_fd(void)
{
	return signal_fd;
}

static void become(const char *command, const int streams[3])
{
	const int nothing = open("/dev/null", O_RDWR);
	sigset_t set;
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(streams[i] < 0 ? nothing : streams[i], F_DUPFD, 10);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(126);
	/* No descriptor of the run may live on in another program. */
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
	stop_signals(&set);
	setsid();
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(126);
}

pid_t process_start(const char *command, int in, int out, int err)
{
	const int streams[3] = {in, out, err};
	const pid_t pid = fork();

	if (pid == 0)
		become(command, streams);
	return pid < 0 ? -errno : pid;
}

static int reap(pid_t pid)
{
	int status;

	for (int i = 0; i < 5000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(1000);
	}
	return -EDEADLK;
}

int process_wait(pid_t pid, int limit)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd polls[2] = {{.fd = fd, .events = POLLIN},
				  {.fd = signal_fd, .events = POLLIN}};
	int count, status;

	if (fd < 0)
		return -errno;
	do
		count = poll(polls, 2, limit);
	while (count < 0 && errno == EINTR);
	close(fd);
	if (count > 0 && (polls[0].revents & POLLIN))
		return reap(pid);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	status = reap(pid);
	if (status < 0)
		return status;
	return count > 0 ? -EINTR : -ETIMEDOUT;
}

/*
 * The parent of a process by its number in /proc, 0: unknown.  stat waits for no lock of the
 * filesystem.
 */
static pid_t parent_of(const char *number)
{
	char path[64], line[512];
	const char *end;
	long parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", number);
	file = fopen(path, "re");
	if (!file)
		return 0;
	end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (end && strlen(end) > 4)
		parent = strtol(end + 4, NULL, 10); /* ") S PARENT" */
	fclose(file);
	return (pid_t)parent;
}

/* Kill the children; returns the number of processes left. */
static int kill_children(pid_t spared, pid_t also_spared)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;
	int found = 0;

	while (directory && (entry = readdir(directory))) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || pid == spared || pid == also_spared ||
		    parent_of(entry->d_name) != getpid())
			continue;
		kill(pid, SIGKILL);
		found += waitpid(pid, NULL, WNOHANG) != pid;
	}
	if (directory)
		closedir(directory);
	return found;
}

void process_kill_descendants(pid_t spared, pid_t also_spared)
{
	/* A killed child leaves its own children for the next round. */
	for (int i = 0; i < 200 && kill_children(spared, also_spared); i++)
		usleep(i < 20 ? 500 : 5000);
}
