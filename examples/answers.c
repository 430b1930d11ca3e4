/* SPDX-License-Identifier: MIT */
/*
 * The three answers of a policy on a real file: fail, retry, and fall back to a plain write.
 *
 * Flow: demo.sh runs: answers FILE.  The program overwrites the first 16 KiB.  A thread that keeps
 * writing into a mapping of the file holds its pages in the page cache: a busy page.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <libatomicio/atomicio.h>

static atomic_bool stop;

static void *keep_dirty(void *map)
{
	while (!stop)
		((volatile char *)map)[0]++;
	return NULL;
}

static uint32_t answer(void *context, const struct atomicio_failure *failure)
{
	(void)failure;
	return *(uint32_t *)context;
}

/* Write with one fixed answer; with RETRY, until a write was retried. */
static int attempt(int fd, uint32_t reply, const void *page, size_t length,
		   struct atomicio_stats *stats)
{
	struct atomicio_options options = {.policy = answer,
					   .policy_context = &reply,
					   .retries_max = 1000,
					   .fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *file;
	int error = atomicio_open(fd, &options, sizeof(options), &file);

	if (error)
		return error;
	for (int i = 0; !error && i < (reply == ATOMICIO_RETRY ? 10000 : 1) && !stats->retries;
	     i++) {
		error = atomicio_write(file, page, length, 0, 0);
		atomicio_file_get_stats(file, stats, sizeof(*stats));
	}
	return atomicio_close(file) ? -EIO : error;
}

/*
 * The writer of a mapping can cost a page.  The handle that receives the error is poisoned: open
 * another handle.
 */
static int scene(int fd, const char *name, uint32_t reply, const void *page, size_t length)
{
	struct atomicio_stats stats = {0};
	int error = -ENOTRECOVERABLE;

	for (int i = 0; i < 100 && error == -ENOTRECOVERABLE; i++) {
		stats = (struct atomicio_stats){0};
		error = attempt(fd, reply, page, length, &stats);
	}
	printf("  %-8s %s; retries %" PRIu64 ", plain writes %" PRIu64 "\n", name,
	       error ? strerror(-error) : "written", stats.retries, stats.writes_plain);
	return error;
}

int main(int argc, char **argv)
{
	const int fd = argc == 2 ? open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
	static _Alignas(16384) char page[16384] = "new";
	void *map;
	pthread_t thread;
	int failed;

	map = fd < 0 ? MAP_FAILED : mmap(NULL, 16384, PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		fprintf(stderr, "usage: answers FILE, of 16 KiB or more and with O_DIRECT\n");
		return 2;
	}
	/*
	 * 12 KiB is no power of two, and no untorn write is possible; the plain fallback accepts
	 * the length.
	 */
	failed = !scene(fd, "fail", ATOMICIO_FAIL, page, 12288);
	failed |= scene(fd, "fallback", ATOMICIO_FALLBACK, page, 12288) != 0;
	if (pthread_create(&thread, NULL, keep_dirty, map))
		return 2;
	failed |= scene(fd, "retry", ATOMICIO_RETRY, page, 16384) != 0;
	stop = 1;
	pthread_join(thread, NULL);
	return failed;
}
