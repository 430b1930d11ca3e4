/* SPDX-License-Identifier: MIT */
/*
 * A batch through a queue: 64 pages in one call, each untorn, all durable on return.
 *
 * Flow: batch FILE.  The program overwrites the first 1 MiB, or makes it.  One op has a shape
 * refused by every kernel, to show that each op has a result of its own.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libatomicio/uring.h>

#define PAGES 64
#define PAGE 16384

static _Alignas(PAGE) char pages[PAGES][PAGE];

int main(int argc, char **argv)
{
	const int fd =
		argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644) : -1;
	struct atomicio_queue_stats stats;
	struct atomicio_op ops[PAGES];
	struct atomicio_queue *queue;
	struct atomicio_file *file;
	unsigned int done = 0;
	int error = atomicio_open(fd, NULL, 0, &file);

	if (error) {
		fprintf(stderr, "batch FILE: %s\n", strerror(-error));
		return 2;
	}
	error = atomicio_queue_create(32, &queue);
	if (error) {
		fprintf(stderr, "no queue: %s\n", strerror(-error));
		return 2;
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		memset(pages[i], 'A' + (int)i % 26, PAGE);
		ops[i] = (struct atomicio_op){
			.file = file,
			.buffer = pages[i],
			.offset = (uint64_t)i * PAGE,
			.length = i == 7 ? PAGE - 4096 : PAGE, /* 12 KiB: no power of two */
		};
	}
	error = atomicio_write_batch(queue, ops, PAGES, ATOMICIO_DSYNC);
	printf("the batch returned: %s\n", error ? strerror(-error) : "all done");
	for (unsigned int i = 0; i < PAGES; i++) {
		if (ops[i].result)
			printf("op %u: %s\n", i, strerror(-ops[i].result));
		else
			done++;
	}
	if (atomicio_queue_get_stats(queue, &stats, sizeof(stats)))
		return 1;
	printf("%u of %u pages are durable; %" PRIu64 " submissions, %" PRIu64 " waits, %" PRIu64
	       " syncs%s\n",
	       done, PAGES, stats.submissions, stats.waits, stats.syncs,
	       stats.ring_error ? ", without io_uring" : "");
	atomicio_queue_destroy(queue);
	return atomicio_close(file) || done != PAGES - 1;
}
