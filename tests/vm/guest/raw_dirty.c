/* SPDX-License-Identifier: MIT */
/*
 * Untorn writes to a range that another writer keeps dirtying through the page cache.
 *
 * Flow: from raw.c: `raw dirty PATH SIZE COUNT mmap|write [uring]`.  The guest's script traces the
 * commands meanwhile: on a raw block device, successes without a WRITE ATOMIC were torn-prone.
 */
#define _GNU_SOURCE
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct dirtier {
	char *map;
	int fd;
	size_t size;
	bool by_write;
	atomic_bool stop;
	atomic_ullong rounds;
};

static void *dirty(void *argument)
{
	struct dirtier *dirtier = argument;
	char byte = 0;

	while (!atomic_load(&dirtier->stop)) {
		for (size_t at = 0; at < dirtier->size; at += RAW_PAGE) {
			byte++;
			if (!dirtier->by_write)
				((volatile char *)dirtier->map)[at + 7] = byte;
			else if (pwrite(dirtier->fd, &byte, 1, (off_t)(at + 7)) != 1)
				return NULL;
		}
		atomic_fetch_add(&dirtier->rounds, 1);
	}
	return NULL;
}

struct tally {
	uint64_t ok, again, other, partial;
	int64_t last_other;
};

static void count(struct tally *tally, int64_t result, uint64_t length)
{
	if (result == (int64_t)length) {
		tally->ok++;
	} else if (result == -EAGAIN) {
		tally->again++;
	} else if (result >= 0) {
		tally->partial++;
	} else {
		tally->other++;
		tally->last_other = result;
	}
}

int raw_dirty_command(int argc, char **argv)
{
	struct dirtier dirtier = {0};
	struct tally tally = {0};
	struct raw_shot shot;
	uint64_t writes;
	int64_t link_result = 0;
	pthread_t thread;
	char *buffer = NULL, name[32];
	int fd;

	if (argc < 6)
		return 2;
	raw_shot_init(&shot, argv[2], 0, strtoull(argv[3], NULL, 0));
	shot.via = argc > 6 ? RAW_URING_WRITE : RAW_PWRITEV2;
	writes = strtoull(argv[4], NULL, 0);
	fd = open(argv[2], O_RDWR | O_DIRECT);
	dirtier.fd = open(argv[2], O_RDWR);
	dirtier.size = shot.length;
	dirtier.by_write = strcmp(argv[5], "write") == 0;
	dirtier.map = mmap(NULL, shot.length, PROT_READ | PROT_WRITE, MAP_SHARED, dirtier.fd, 0);
	if (fd < 0 || dirtier.map == MAP_FAILED ||
	    posix_memalign((void **)&buffer, RAW_PAGE, shot.length) ||
	    pthread_create(&thread, NULL, dirty, &dirtier) != 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	while (atomic_load(&dirtier.rounds) == 0)
		usleep(1000);
	for (uint64_t i = 0; i < writes; i++) {
		raw_fill(buffer, shot.length, i + 1);
		count(&tally, raw_submit(&shot, fd, buffer, &link_result), shot.length);
	}
	atomic_store(&dirtier.stop, true);
	pthread_join(thread, NULL);
	printf("ok=%llu again=%llu partial=%llu other=%llu last=%s rounds=%llu\n",
	       (unsigned long long)tally.ok, (unsigned long long)tally.again,
	       (unsigned long long)tally.partial, (unsigned long long)tally.other,
	       raw_result_name(tally.last_other, name, sizeof(name)),
	       (unsigned long long)atomic_load(&dirtier.rounds));
	free(buffer);
	close(fd);
	close(dirtier.fd);
	return 0;
}
