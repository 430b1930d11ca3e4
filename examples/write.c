/* SPDX-License-Identifier: MIT */
/*
 * Write one page untorn: a crash leaves the old page or the new page.  The page is durable on
 * return.
 *
 * Flow: open, make a handle, write, close.  Run as: write FILE.  The program overwrites the first
 * page of FILE.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>

#define PAGE_SIZE 16384 /* a power of two; the offset is a multiple of PAGE_SIZE */

/* Returns 0 or a negative errno, as the library does. */
static int write_page(int fd, const void *page)
{
	/* All defaults: retry errors that may pass, and never make a write that could tear. */
	struct atomicio_options options = {.policy = atomicio_policy_default};
	struct atomicio_file *file;
	int error, close_error;

	error = atomicio_open(fd, &options, sizeof(options), &file);
	if (error)
		return error;
	error = atomicio_write(file, page, PAGE_SIZE, 0, ATOMICIO_DSYNC);
	close_error = atomicio_close(file);
	return error ? error : close_error;
}

int main(int argc, char **argv)
{
	void *page;
	int fd, error;

	if (argc != 2) {
		fprintf(stderr, "usage: write FILE\n");
		return 2;
	}
	/*
	 * A direct write needs aligned memory.  An alignment of PAGE_SIZE is enough for every
	 * device.
	 */
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	if (!page) {
		perror("page");
		return 2;
	}
	memset(page, 'A', PAGE_SIZE);
	fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		free(page);
		return 2;
	}
	error = write_page(fd, page);
	if (error)
		fprintf(stderr, "%s: not written: %s\n", argv[1], strerror(-error));
	else
		printf("%s: wrote %d bytes, untorn and durable\n", argv[1], PAGE_SIZE);
	close(fd);
	free(page);
	return error ? 1 : 0;
}
