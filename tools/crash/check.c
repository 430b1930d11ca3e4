/* SPDX-License-Identifier: MIT */
/*
 * One cut: its filesystem is mounted beside the living filesystem, the check runs on the copy, and
 * gives the verdict.
 *
 * Flow: run.c calls check_cut() for each cut and check_last() at the end.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "server.h"
#include "words.h"

/* How the check of a cut ended: the status of waitpid(2), or the error of the start. */
struct verdict {
	int status;
	int mount_error; /* negative errno */
	char words[600]; /* the last that the check said */
};

static uint64_t count_demands(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];
	uint64_t count = 0;

	while (file && fgets(line, sizeof(line), file))
		count += !strncmp(line, "ACK ", 4);
	if (file)
		fclose(file);
	return count;
}

/* The end of the check's output, as one line. */
static void last_words(int fd, char *words, size_t size)
{
	const off_t end = lseek(fd, 0, SEEK_END);
	const off_t from = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t length = pread(fd, words, size - 1, from);

	length = length > 0 ? length : 0;
	while (length && words[length - 1] == '\n')
		length--;
	words[length] = '\0';
	for (char *c = words; *c; c++)
		if (*c == '\n')
			*c = ';';
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static int run_check(struct run *run, const char *lines, struct verdict *verdict)
{
	const int in = open(lines, O_RDONLY | O_CLOEXEC);
	const int out = memfd_create("check", MFD_CLOEXEC);
	char *command = words_with_path(run->options->check, run->cut_at);
	pid_t pid;

	if (in < 0 || out < 0 || !command)
		return crash_error("the check cannot be started: %s", strerror(errno));
	pid = process_start(command, in, out, out);
	free(command);
	if (pid < 0)
		return crash_error("the check cannot be started: %s", strerror(-pid));
	undo_push(run->undo, UNDO_PROCESS, pid, NULL);
	verdict->status = process_wait(pid, (int)run->options->timeout * 1000);
	last_words(out, verdict->words, sizeof(verdict->words));
	close(in);
	close(out);
	if (verdict->status == -EDEADLK)
		return crash_error("the check stands still and cannot be killed");
	undo_pop(run->undo);
	process_kill_descendants(run->server, run->work);
	return process_signal() ? RUN_ERROR : 0;
}

/* Mount the cut and run the check.  RUN_ERROR: no verdict. */
static int look(struct run *run, uint64_t number, const char *lines, struct verdict *verdict)
{
	char path[256];
	struct loop loop;
	int error;

	snprintf(path, sizeof(path), "%s/cut-%" PRIu64, run->served, number);
	error = loop_attach(&loop, path, run->options->sector);
	if (error)
		return crash_error("no loop device for a cut: %s", strerror(-error));
	undo_push(run->undo, UNDO_LOOP, 0, loop.device);
	verdict->mount_error = filesystem_mount(run, loop.device, run->cut_at, true);
	close(loop.fd); /* now the filesystem alone holds the device */
	if (!verdict->mount_error) {
		error = run_check(run, lines, verdict);
		if (error)
			return error;
		if (undo_one(run->undo))
			return crash_error("the cut cannot be unmounted: does the check leave "
					   "processes behind?");
	}
	if (undo_one(run->undo))
		return crash_error("%s: the loop device does not go", loop.device);
	return 0;
}

/* Copy only bytes other than zero: the copy is as sparse as the disk. */
static int copy(const char *from, const char *to)
{
	static char bytes[1 << 16], zeroes[1 << 16];
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = 0;
	ssize_t length = in < 0 || out < 0 ? -1 : 0;

	while (length >= 0 && (length = pread(in, bytes, sizeof(bytes), at)) > 0) {
		if (memcmp(bytes, zeroes, (size_t)length) != 0 &&
		    pwrite(out, bytes, (size_t)length, at) != length)
			length = -1;
		at += length;
	}
	if (length == 0 && ftruncate(out, at) < 0)
		length = -1;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return length < 0 ? -errno : 0;
}

static const char *ending(const struct verdict *verdict, char text[700])
{
	const int status = verdict->status;

	if (verdict->mount_error)
		snprintf(text, 700, "the filesystem cannot be mounted: %s",
			 strerror(-verdict->mount_error));
	else if (status == -ETIMEDOUT)
		snprintf(text, 700, "the check did not end in time");
	else if (status > 0 && WIFSIGNALED(status))
		snprintf(text, 700, "the check was ended by signal %d: %s", WTERMSIG(status),
			 verdict->words);
	else
		snprintf(text, 700, "the check ended with status %d: %s", WEXITSTATUS(status),
			 verdict->words);
	return text;
}

/* Keep the disk of the cut. */
static void keep(const struct run *run, const char *image, const char *lines)
{
	const struct run_options *options = run->options;
	const char *directory = options->keep ? options->keep : ".";
	const uint32_t number = run->good + run->bad;
	char kept[512];
	int error;

	snprintf(kept, sizeof(kept), "%s/crash-%" PRIu64 "-%u.img", directory, options->seed,
		 number);
	error = copy(image, kept);
	if (error) {
		crash_error("%s: the image could not be kept: %s", kept, strerror(-error));
		return;
	}
	printf("  its disk before the check: %s\n", kept);
	printf("  mount it with: mount -o loop%s%s %s /mnt\n", options->fs->mount_data ? "," : "",
	       options->fs->mount_data ? options->fs->mount_data : "", kept);
	snprintf(kept, sizeof(kept), "%s/crash-%" PRIu64 "-%u.lines", directory, options->seed,
		 number);
	if (copy(lines, kept) == 0)
		printf("  what was promised then: %s\n", kept);
}

static bool is_good(const struct verdict *verdict)
{
	return !verdict->mount_error && verdict->status == 0;
}

/* A copy of the cut for the check's writes: the cut itself stays unchanged. */
static int look_at_copy(struct run *run, uint64_t number, const char *lines,
			struct verdict *verdict)
{
	char answer[512];
	uint64_t copied;
	int error;

	if (client_ask(run, answer, "copy %" PRIu64, number))
		return RUN_ERROR;
	if (!words_are(answer, "copy ", &copied))
		return crash_error("the server answered: %s", answer);
	error = look(run, copied, lines, verdict);
	return error ? error : client_ask(run, answer, "drop %" PRIu64, copied);
}

static bool cannot_be_run(const struct verdict *verdict)
{
	return verdict->status > 0 && WIFEXITED(verdict->status) &&
	       (WEXITSTATUS(verdict->status) == 127 || WEXITSTATUS(verdict->status) == 126);
}

int check_cut(struct run *run, const struct run_cut *cut)
{
	char image[256], lines[300], text[700], answer[512];
	struct verdict verdict = {0};

	snprintf(image, sizeof(image), "%s/cut-%" PRIu64, run->served, cut->number);
	snprintf(lines, sizeof(lines), "%s.lines", image);
	run->demanded += count_demands(lines);
	run->empty += cut->kept + cut->torn == 0;
	if (look_at_copy(run, cut->number, lines, &verdict))
		return RUN_ERROR;
	if (cannot_be_run(&verdict))
		return crash_error("the check cannot be run: %s", verdict.words);
	if (is_good(&verdict)) {
		run->good++;
	} else if (!run->bad++) {
		printf("cut %u of seed %" PRIu64 " is bad (%u writes dropped, %u kept, %u "
		       "torn): %s\n",
		       run->good + run->bad, run->options->seed, cut->dropped, cut->kept, cut->torn,
		       ending(&verdict, text));
		keep(run, image, lines);
		fflush(stdout);
	}
	return client_ask(run, answer, "drop %" PRIu64, cut->number);
}

int check_last(struct run *run, uint64_t number)
{
	struct verdict verdict = {0};
	char lines[256], text[700];

	snprintf(lines, sizeof(lines), "%s/cut-%" PRIu64 ".lines", run->served, number);
	if (look(run, number, lines, &verdict))
		return RUN_ERROR;
	if (is_good(&verdict))
		return 0;
	if (run->bad && !run->good)
		return crash_error("the check fails without a cut too, after the work was killed "
				   "and the filesystem unmounted: is it the check that is wrong?");
	if (!run->bad++)
		printf("the disk is bad without a cut too, after the work was killed: %s\n",
		       ending(&verdict, text));
	return 0;
}
