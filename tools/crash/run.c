/* SPDX-License-Identifier: MIT */
/*
 * One run, in the process that is watched (run.h).
 *
 * Flow: make directories, server, loop device, filesystem; start the work; take cuts and check
 * them; end the work; undo; report.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "process.h"
#include "server.h"
#include "words.h"

/* A step whose end nobody waits for any more is ended by the watchdog. */
void run_step(struct run *run, int64_t limit)
{
	run->undo->deadline = limit ? server_now() + limit : 0;
}

/* U1: the name is known before the directory exists; mkdtemp(3) cannot do so. */
static int make_directory(struct run *run, const char *path)
{
	int error;

	undo_push(run->undo, UNDO_DIRECTORY, 0, path);
	if (mkdir(path, 0700) == 0)
		return chmod(path, 0755) < 0 ? errno : 0;
	error = errno;
	undo_pop(run->undo);
	return error;
}

static int make_directories(struct run *run)
{
	const char *temporary = getenv("TMPDIR");
	char *const paths[] = {run->top, run->served, run->work_at, run->cut_at};
	static const char *const names[] = {"", "/disk", "/work", "/cut"};
	uint64_t random;
	char top[128];
	int error = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return crash_error("no name for a directory: %s", strerror(errno));
	snprintf(top, sizeof(top), "%.90s/atomicio-crash.%016" PRIx64,
		 temporary && *temporary ? temporary : "/tmp", random);
	for (size_t i = 0; i < 4 && !error; i++) {
		snprintf(paths[i], sizeof(run->top), "%s%s", top, names[i]);
		error = make_directory(run, paths[i]);
		if (error)
			crash_error("%s: %s", paths[i], strerror(error));
	}
	return error ? RUN_ERROR : 0;
}

/* A terminal that changes no byte: the lines leave the work one by one. */
static int make_terminal(struct run *run, int *master)
{
	struct termios settings;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*master < 0 || grantpt(*master) || unlockpt(*master))
		return crash_error("no terminal for the work: %s", strerror(errno));
	run->terminal = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (run->terminal < 0 || tcgetattr(run->terminal, &settings))
		return crash_error("no terminal for the work: %s", strerror(errno));
	cfmakeraw(&settings);
	(void)tcsetattr(run->terminal, TCSANOW, &settings);
	return 0;
}

static int make_disk(struct run *run)
{
	char path[256];
	struct loop loop;
	int error, master;

	if (make_directories(run) || make_terminal(run, &master))
		return RUN_ERROR;
	run_step(run, 90000);
	error = client_start(run, master);
	close(master);
	if (error)
		return error;
	snprintf(path, sizeof(path), "%s/image", run->served);
	error = loop_attach(&loop, path, run->options->sector);
	if (error)
		return crash_error("no loop device with direct I/O: %s", strerror(-error));
	undo_push(run->undo, UNDO_LOOP, 0, loop.device);
	error = filesystem_make(run, loop.device);
	if (!error) {
		error = filesystem_mount(run, loop.device, run->work_at, false);
		if (error)
			error = crash_error("%s cannot be mounted: %s", run->options->fs->name,
					    strerror(-error));
	}
	close(loop.fd);
	run_step(run, 0);
	return error;
}

static int start_work(struct run *run)
{
	char *command, answer[512];

	for (uint32_t i = 0; i < run->options->fault_count; i++)
		if (client_ask(run, answer, "fault %s", run->options->faults[i]))
			return RUN_ERROR;
	command = words_with_path(run->options->work, run->work_at);
	if (!command)
		return crash_error("not enough memory");
	run->work = process_start(command, -1, run->terminal, STDERR_FILENO);
	free(command);
	if (run->work < 0)
		return crash_error("the work cannot be started: %s", strerror(-run->work));
	undo_push(run->undo, UNDO_PROCESS, run->work, NULL);
	run->work_fd = (int)syscall(SYS_pidfd_open, run->work, 0);
	return run->work_fd < 0 ? crash_error("pidfd_open: %s", strerror(errno)) : 0;
}

/* The sentence for a work that ended before the last cut. */
static int work_ended(struct run *run, uint32_t made)
{
	char answer[512], how[64];
	int status = 0;

	(void)waitpid(run->work, &status, 0);
	if (client_ask(run, answer, "words"))
		return RUN_ERROR;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "with status %d", WEXITSTATUS(status));
	return crash_error("the work ended %s after %u of %u cuts; it has to go on until it is "
			   "killed%s%s",
			   how, made, run->options->cuts, answer[6] ? ": " : "",
			   answer[6] ? answer + 6 : "");
}

/* Wait for the next cut: 0, or RUN_ERROR. */
static int next_cut(struct run *run, uint32_t made, struct run_cut *cut)
{
	struct pollfd polls[3] = {{.fd = run->from_server, .events = POLLIN},
				  {.fd = run->work_fd, .events = POLLIN},
				  {.fd = process_signal_fd(), .events = POLLIN}};
	const int64_t limit = server_now() + (int64_t)run->options->timeout * 1000;

	for (;;) {
		const int got = client_cut(run, cut);
		const int64_t left = limit - server_now();

		if (got)
			return got == 1 ? 0 : RUN_ERROR;
		if (process_signal())
			return RUN_ERROR;
		if (polls[1].revents)
			return work_ended(run, made);
		if (left <= 0)
			return crash_error("there was no cut in %u s: the work says no TRY or ACK "
					   "on its standard output, or writes nothing",
					   run->options->timeout);
		(void)poll(polls, 3, (int)left);
	}
}

static bool is_over(const struct run *run)
{
	return run->bad && !run->options->goes_on;
}

/* A work that stands still takes no processor from the check. */
static void pause_work(const struct run *run, int number)
{
	if (run->options->pauses)
		(void)kill(-run->work, number);
}

/* Cuts of a filesystem that lives on beside its copies. */
static int cut_beside(struct run *run)
{
	struct run_cut cut;
	int error = client_arm(run);

	for (uint32_t i = 0; i < run->options->cuts && !error && !is_over(run); i++) {
		error = next_cut(run, i, &cut);
		if (!error && i + 1 < run->options->cuts)
			error = client_arm(run);
		if (error)
			break;
		pause_work(run, SIGSTOP);
		run_step(run, 60000 + (int64_t)run->options->timeout * 1000);
		error = check_cut(run, &cut);
		run_step(run, 0);
		pause_work(run, SIGCONT);
	}
	return error;
}

/* Undo the topmost thing; with a process also its children in other sessions. */
static int undo_top(struct run *run)
{
	const struct undo top = run->undo->list[run->undo->count - 1];
	const int error = undo_one(run->undo);

	if (error)
		return crash_error("%s does not go", top.path);
	if (top.kind == UNDO_PROCESS)
		process_kill_descendants(run->server, 0);
	return 0;
}

/* Kill the work and unmount its filesystem. */
static int end_work(struct run *run)
{
	run_step(run, 60000);
	while (run->undo->list[run->undo->count - 1].kind != UNDO_FUSE)
		if (undo_top(run))
			return RUN_ERROR;
	run_step(run, 0);
	return 0;
}

static int cut_afterwards(struct run *run)
{
	const uint32_t count = run->options->cuts;
	struct run_cut *cuts = calloc(count, sizeof(*cuts));
	int error = cuts ? 0 : crash_error("not enough memory");

	for (uint32_t i = 0; i < count && !error; i++) {
		error = client_arm(run);
		if (!error)
			error = next_cut(run, i, &cuts[i]);
	}
	if (!error)
		error = end_work(run);
	for (uint32_t i = 0; i < count && !error && !is_over(run); i++) {
		run_step(run, 60000 + (int64_t)run->options->timeout * 1000);
		error = check_cut(run, &cuts[i]);
		run_step(run, 0);
	}
	free(cuts);
	return error;
}

/* A fault that never fired has shown nothing. */
static int faults_fired(struct run *run)
{
	char answer[512], *at = answer + strlen("fired");

	if (client_ask(run, answer, "fired"))
		return RUN_ERROR;
	for (uint32_t i = 0; i < run->options->fault_count; i++)
		if (strtoull(at, &at, 10) == 0)
			return crash_error("the fault '%s' never fired", run->options->faults[i]);
	return client_ask(run, answer, "clear");
}

/* The disk once more, with nothing dropped. */
static int look_last(struct run *run)
{
	struct run_cut cut;
	char answer[512];
	int error;

	if (!run->options->fs->is_alone && end_work(run))
		return RUN_ERROR;
	if (client_ask(run, answer, "disarm"))
		return RUN_ERROR;
	while (client_cut(run, &cut) == 1)
		; /* of the last arm of a run that stops at a bad cut */
	if (faults_fired(run))
		return RUN_ERROR;
	if (write(run->to_server, "cut 0\n", 6) != 6)
		return crash_error("the server is gone");
	do
		error = client_cut(run, &cut);
	while (error == 0 && !process_signal() && usleep(1000) == 0);
	if (error != 1)
		return RUN_ERROR;
	run_step(run, 60000 + (int64_t)run->options->timeout * 1000);
	error = check_last(run, cut.number);
	run_step(run, 0);
	return error;
}

static int report(const struct run *run)
{
	const uint32_t looked_at = run->good + run->bad;

	printf("%u cuts of %s: %u good, %u bad, %u empty; %" PRIu64
	       " acknowledged versions demanded; %.1f s\n",
	       looked_at, run->options->fs->name, run->good, run->bad, run->empty, run->demanded,
	       (double)(server_now() - run->started) / 1000);
	fflush(stdout);
	if (run->bad)
		return RUN_BAD;
	if (!run->demanded)
		return crash_error("nothing was proved: the work had no version acknowledged at "
				   "any cut, so the checks demanded nothing");
	if (run->empty > looked_at / 2)
		return crash_error("nothing was proved: %u of %u cuts kept no write of the cache",
				   run->empty, looked_at);
	return RUN_GOOD;
}

int run_it(struct run *run)
{
	int status = make_disk(run);

	run->started = server_now();
	run->random = run->options->seed;
	if (!status)
		status = start_work(run);
	if (!status)
		status = run->options->fs->is_alone ? cut_afterwards(run) : cut_beside(run);
	if (!status)
		status = look_last(run);
	run_step(run, 60000);
	/* FUSE goes before its server, and the server by the end of its commands. */
	while (run->undo->count)
		if (undo_top(run))
			return RUN_ERROR; /* the watchdog takes away the rest by force */
	run_step(run, 0);
	if (process_signal())
		return crash_error("ended by signal %d; all is undone", process_signal());
	return status ? status : report(run);
}
