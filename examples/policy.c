/* SPDX-License-Identifier: MIT */
/*
 * An application's own policy: log every failure, wait for a busy page, and hand pages that the
 * kernel cannot write untorn to the application's own double write.
 *
 * Flow: each atomicio_write() that fails asks app_policy(); pages that come back refused go to
 * app_double_write().  Run as: policy FILE.  The program overwrites the first 64 KiB of FILE.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>

struct app {
	int fd, copy; /* the file, and the file for copies of pages */
	unsigned failures, double_writes;
};

static uint32_t app_policy(void *context, const struct atomicio_failure *failure)
{
	struct app *app = context;

	app->failures++;
	fprintf(stderr, "  failure: %s, %s, at %llu\n", atomicio_kind_name(failure->kind),
		strerror(-failure->error), (unsigned long long)failure->offset);
	if (failure->kind == ATOMICIO_KIND_BUSY && failure->attempt <= 3)
		return ATOMICIO_RETRY;
	return ATOMICIO_FAIL; /* the caller goes on: see app_write() */
}

/* First a durable copy, then the page in place: a crash leaves the copy or the page whole. */
static int app_double_write(struct app *app, const void *page, size_t length, off_t offset)
{
	app->double_writes++;
	if (pwrite(app->copy, page, length, 0) != (ssize_t)length || fdatasync(app->copy) ||
	    pwrite(app->fd, page, length, offset) != (ssize_t)length || fdatasync(app->fd))
		return -1;
	return 0;
}

static int app_write(struct app *app, struct atomicio_file *file, const void *page, size_t length,
		     off_t offset)
{
	int error = atomicio_write(file, page, length, (uint64_t)offset, ATOMICIO_DSYNC);

	if (error == -EINVAL || error == -EOPNOTSUPP) /* refused: the old page is in place */
		return app_double_write(app, page, length, offset);
	return error;
}

int main(int argc, char **argv)
{
	struct app app = {.fd = argc == 2 ? open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC) : -1};
	struct atomicio_options options = {.policy = app_policy, .policy_context = &app};
	char *page = aligned_alloc(65536, 65536);
	FILE *copy = tmpfile(); /* a real copy has a name, and a record of the page's place */
	struct atomicio_file *file;
	int error = 0;

	if (app.fd < 0 || !page || !copy ||
	    atomicio_open(app.fd, &options, sizeof(options), &file)) {
		fprintf(stderr, "usage: policy FILE, one that exists and takes O_DIRECT\n");
		return 2;
	}
	app.copy = fileno(copy);
	memset(page, 'P', 65536);
	error |= app_write(&app, file, page, 16384, 0);	    /* a page */
	error |= app_write(&app, file, page, 12288, 16384); /* no power of two: three blocks */
	error |= atomicio_close(file);
	printf("%u failures, %u double writes, %s\n", app.failures, app.double_writes,
	       error ? "and a page that could not be written" : "every page written");
	return error ? 1 : 0;
}
