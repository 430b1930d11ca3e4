/* SPDX-License-Identifier: MIT */
/*
 * A path of the command line: a file, a device or a directory, opened.
 *
 * Flow: between a subcommand and the library; see target.c.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define TARGET_FOR_PROBE 0 /* read-only is enough, and a directory stands for a file inside */
#define TARGET_FOR_WRITE 1 /* must be open for writing, and must be the file itself */

struct target {
	int fd;
	int flags;	/* O_RDWR, O_DIRECT, ...: the mode of the open */
	bool temporary; /* an unnamed file in the directory that was named */
};

/* Room for the sentence of target_open(); the path in it is cut to fit. */
#define TARGET_SENTENCE_SIZE 512

/* Returns 0, or a negative errno with a sentence of advice, without the path.
 */
int target_open(const char *path, int purpose, struct target *target, char *sentence, size_t size);

/*
 * Make a file without a name in a directory, open for reading and writing, and with O_DIRECT where
 * the filesystem has that: *flags says.  Returns the descriptor, or a negative errno.
 */
int target_temporary(const char *path, int *flags);
void target_close(struct target *target);

#endif /* TARGET_H */
