/* SPDX-License-Identifier: MIT */
/*
 * Leave a journal with live frames, as a killed program does.
 *
 * Flow: `journal_leave JOURNAL ONE TWO` for journal.sh: one frame with a page of 16 KiB of 'A' at 0
 * in ONE (id 1), a second with a page of 'B' at 16 KiB in ONE and 5000 bytes of 'C' at 100 in
 * TWO (id 0x20); then the program kills itself.  `journal_leave JOURNAL ONE TWO chain`: all three
 * pages in one group, which is a chain if longer than a frame.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "libatomicio/journal.h"

#define PAGE 16384

static char bytes[3][PAGE];

static int leave(int journal_fd, int one, int two, bool chain)
{
	struct atomicio_options options = {.path = ATOMICIO_PATH_JOURNAL, .file_id = 1};
	struct atomicio_op ops[3] = {
		{.buffer = bytes[0], .offset = 0, .length = PAGE},
		{.buffer = bytes[1], .offset = PAGE, .length = PAGE},
		{.buffer = bytes[2], .offset = 100, .length = 5000},
	};
	int error = atomicio_journal_open(journal_fd, NULL, 0, &options.journal);

	if (!error)
		error = atomicio_open(one, &options, sizeof(options), &ops[0].file);
	options.file_id = 0x20;
	if (!error)
		error = atomicio_open(two, &options, sizeof(options), &ops[2].file);
	ops[1].file = ops[0].file;
	if (!error && chain)
		return atomicio_write_batch(NULL, ops, 3, ATOMICIO_ALL_OR_NONE);
	if (!error)
		error = atomicio_write(ops[0].file, bytes[0], PAGE, 0, 0);
	return error ? error : atomicio_write_batch(NULL, &ops[1], 2, ATOMICIO_ALL_OR_NONE);
}

int main(int argc, char **argv)
{
	int fds[3], error;

	for (int i = 0; i < 3; i++) {
		fds[i] = argc == 4 || argc == 5 ? open(argv[i + 1], O_RDWR | O_CLOEXEC) : -1;
		memset(bytes[i], 'A' + i, PAGE);
	}
	error = leave(fds[0], fds[1], fds[2], argc == 5);
	if (!error)
		raise(SIGKILL);
	fprintf(stderr, "journal_leave: %s\n", strerror(-error));
	return 1;
}
