/* SPDX-License-Identifier: MIT */
/*
 * The cells of one environment (matrix.h).
 *
 *	matrix ENVIRONMENT DIRECTORY < cells
 *
 * A cell is a line "way environment fault expected".  Variables describe the environment:
 * MATRIX_TO and MATRIX_FROM, descriptors of a server of atomicio crash; MATRIX_CUT, a command that
 * mounts cut number $1 at $MATRIX_CUT_AT; MATRIX_UNCUT, which unmounts the cut; MATRIX_REMOUNT, for
 * a filesystem that was shut down.
 *
 * Each cell is one TAP line.  expected is "ok": every write returned 0; "some": at least one write
 * failed; "any": the result depends on the clock; "new": not known yet, the result is printed.  The
 * pages are judged in each case.
 */
#define _GNU_SOURCE
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

const char *matrix_directory, *matrix_environment;
struct cell *cell;

static int descriptor(const char *variable)
{
	const char *text = getenv(variable);

	return text ? (int)strtol(text, NULL, 10) : -1;
}

bool matrix_ask(const char *command, char *answer, uint32_t size)
{
	const int to = descriptor("MATRIX_TO"), from = descriptor("MATRIX_FROM");
	struct pollfd polled = {.fd = from, .events = POLLIN};
	uint32_t length = 0;
	char line[256];
	int end;

	if (to < 0)
		return false;
	end = snprintf(line, sizeof(line), "%s\n", command);
	if (write(to, line, (size_t)end) != end)
		return false;
	while (length + 1 < size && poll(&polled, 1, 5000) == 1 &&
	       read(from, answer + length, 1) == 1 && answer[length] != '\n')
		length++;
	answer[length] = '\0';
	return length && strncmp(answer, "error", 5) != 0;
}

/* The file as it was: eight old pages, durable. */
static int make_file(void)
{
	const int directory = open(matrix_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd, error = 0;
	static uint8_t page[LENGTH];

	(void)unlinkat(directory, "pages", 0);
	(void)unlinkat(directory, "journal", 0);
	if (!strcmp(matrix_environment, "raw") && symlinkat("device", directory, "pages") < 0)
		return -errno;
	fd = matrix_open(matrix_directory, "pages", O_CREAT);
	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < PAGES; i++) {
		matrix_fill(page, i, false);
		if (pwrite(fd, page, LENGTH, (off_t)(i * LENGTH)) != LENGTH)
			error = -errno;
	}
	if (fsync(fd) || fsync(directory))
		error = -errno;
	close(fd);
	close(directory);
	return error;
}

static int open_read_only(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/pages", matrix_directory);
	return open(path, O_RDONLY | O_CLOEXEC | way_flags());
}

static void run_cell(void)
{
	int fd, log_fd;

	fault_early();
	fd = matrix_open(matrix_directory, "pages", way_flags() | fault_open_flags());
	log_fd =
		matrix_open(matrix_directory, "journal", way_uses_journal(cell->way) ? O_CREAT : 0);
	if (fd < 0 && cell->may_read_only)
		fd = open_read_only();
	if (fd < 0) /* no O_DIRECT here */
		cell->applies = 0;
	fault_before_open();
	if (!cell->applies)
		_exit(0);
	cell->setup_result = way_open(fd, log_fd);
	if (cell->setup_result)
		_exit(0);
	/* The journal's file is to be found after a cut. */
	if (log_fd >= 0)
		(void)fsync(open(matrix_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fault_after_open(fd);
	if (!cell->applies)
		_exit(0);
	cell->set_up = 1;
	if (fault_has_lazy_pages()) {
		way_write(0, 3);
		for (uint32_t i = 0; i < 3; i++)
			cell->pages[i].is_lazy = true;
		way_write(3, 3);
	} else {
		way_write(0, 6);
	}
	fault_is_over(fd);
	cell->sync_result = way_sync();
	way_write(6, 2);
	fault_join();
	_exit(0);
}

/* Wait for the cell: NULL, or the fault of its end. */
static const char *await(pid_t pid)
{
	int status;

	for (int i = 0; i < LIMIT * 1000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSIGNALED(status) ? "was killed by a signal" : NULL;
		usleep(1000);
	}
	fault_undo();
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return "hangs";
}

/* Judge in a process of its own: the judge opens the journal, which may end badly. */
static const char *judge_apart(const char *directory, bool is_cut)
{
	static char *text;
	const char *wrong, *end;
	pid_t pid;

	if (!text)
		text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	text[0] = '\0';
	pid = fork();
	if (pid == 0) {
		wrong = judge(directory, is_cut);
		snprintf(text, 4096, "%s", wrong ? wrong : "");
		_exit(0);
	}
	end = await(pid);
	return end ? end : text[0] ? text : NULL;
}

static const char *judge_cut(void)
{
	char answer[128], command[512];
	const char *wrong, *at = getenv("MATRIX_CUT_AT");
	unsigned long number;

	if (!matrix_ask("cut 1", answer, sizeof(answer)))
		return "no cut could be made";
	number = strtoul(answer + 4, NULL, 10);
	snprintf(command, sizeof(command), "%s %lu", getenv("MATRIX_CUT"), number);
	if (system(command) != 0)
		return "the cut cannot be mounted";
	wrong = judge_apart(at, true);
	if (system(getenv("MATRIX_UNCUT")) != 0)
		return "the cut cannot be unmounted";
	snprintf(command, sizeof(command), "drop %lu", number);
	(void)matrix_ask(command, answer, sizeof(answer));
	return wrong;
}

static bool any_failed(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (cell->pages[i].was_tried && cell->pages[i].result)
			return true;
	return cell->setup_result != 0;
}

/* Faults of the disk shut filesystems down: afterwards no file can be made. */
static bool is_dead(void)
{
	const int fd = matrix_open(matrix_directory, "trial", O_CREAT);
	const bool failed = fd < 0 || fsync(fd) < 0;

	if (fd >= 0)
		close(fd);
	return failed;
}

/* How many times a server of a directory was asked to sync, -1: it is none. */
static int64_t flushes_of_server(void)
{
	char answer[128];
	const char *at;

	if (strncmp(matrix_environment, "fuse-", 5) != 0 ||
	    !matrix_ask("stat", answer, sizeof(answer)))
		return -1;
	at = strstr(answer, "flushes ");
	return at ? strtoll(at + 8, NULL, 10) : -1;
}

/* X7 */
static const char *judge_flushes(int64_t made)
{
	int64_t wanted = 0;

	for (uint32_t i = 0; i < PAGES; i++)
		wanted += cell->pages[i].was_tried && !cell->pages[i].result &&
			  !cell->pages[i].is_lazy;
	if (wanted && way_is_batch(cell->way))
		wanted = 1;
	return made < wanted ? "returned 0, and the server was never asked to sync" : NULL;
}

static bool did_fire;

static const char *run_and_judge(void)
{
	const char *wrong;
	int64_t flushes;
	pid_t pid;

	if (make_file())
		return "the file cannot be made";
	flushes = flushes_of_server();
	pid = fork();
	if (pid == 0)
		run_cell();
	wrong = await(pid);
	if (!wrong && !cell->applies) {
		fault_undo();
		return NULL;
	}
	if (!wrong && flushes >= 0)
		wrong = judge_flushes(flushes_of_server() - flushes);
	if (!wrong && getenv("MATRIX_CUT"))
		wrong = judge_cut();
	did_fire = fault_fired();
	fault_undo();
	if (is_dead() && (!getenv("MATRIX_REMOUNT") || system(getenv("MATRIX_REMOUNT")) != 0))
		return "the filesystem cannot be mounted again";
	return wrong ? wrong : judge_apart(matrix_directory, false);
}

static int results(char *text, size_t size)
{
	int length = snprintf(text, size, "open %d, writes", cell->setup_result);

	for (uint32_t i = 0; i < PAGES; i++)
		length += snprintf(text + length, size - (size_t)length, " %d",
				   cell->pages[i].result);
	return snprintf(text + length, size - (size_t)length, ", sync %d", cell->sync_result);
}

int main(int argc, char **argv)
{
	char way[24], environment[24], fault[32], expected[8], text[300];
	int failures = 0;

	if (argc == 2 && !strcmp(argv[1], "--faults")) {
		fault_print_all();
		return 0;
	}
	if (argc != 3)
		return 2;
	matrix_environment = argv[1];
	matrix_directory = argv[2];
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	cell = mmap(NULL, sizeof(*cell), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (cell != MAP_FAILED &&
	       scanf("%23s %23s %31s %7s", way, environment, fault, expected) == 4) {
		const char *wrong, *got;

		if (strcmp(environment, matrix_environment) != 0)
			continue;
		memset(cell, 0, sizeof(*cell));
		memcpy(cell->way, way, sizeof(way));
		memcpy(cell->fault, fault, sizeof(fault));
		cell->applies = 1;
		did_fire = true;
		wrong = way_is_known(way) && fault_is_known(fault) ? run_and_judge() : "is no cell";
		got = !cell->applies || !did_fire ? "-" : any_failed() ? "some" : "ok";
		(void)results(text, sizeof(text));
		if (!wrong && strcmp(expected, got) != 0 && strcmp(expected, "new") != 0 &&
		    (strcmp(expected, "any") != 0 || got[0] == '-'))
			wrong = "has other results";
		printf("%s - %s %s %s %s%s%s\n", wrong ? "not ok" : "ok", way, environment, fault,
		       got, wrong ? ": " : "", wrong ? wrong : "");
		if (wrong)
			printf("# %s\n", text);
		failures += wrong != NULL;
	}
	return failures != 0;
}
