/* SPDX-License-Identifier: MIT */
/*
 * Writes through the library to pages that another process keeps dirtying through the page cache.
 *
 * Flow: from library.c: `library dirty PATH SIZE COUNT mmap|write WAY LIST [RETRIES]`.  The guest's
 * script traces the commands meanwhile, and looks for a command for each page of LIST.
 *
 * Rules:
 * VD1 each write has a place of its own.  The other process has dirtied the place since the last
 *     write, and goes on dirtying during the write.  LIST has the offsets that were reported
 *     untorn, a line each.
 * VD2 the other process changes only byte 7 of each 4 KiB.  After its end, all other bytes of a
 *     page in LIST must be as written: `contents` counts the pages with a wrong byte, and `sync` is
 *     the answer of atomicio_sync() before the pages were read.
 */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP 4U

/* Shared with the other process. */
struct control {
	atomic_ullong first, length; /* what to dirty */
	atomic_ullong rounds;	     /* done since */
	atomic_bool failed;
};

struct dirty {
	const char *path;
	uint64_t size, count;
	bool by_write;
	struct control *control;
	struct library library;
	uint64_t ok, again, broken, poisoned, stale, other;
	int32_t last_other;
	int64_t sync;
	FILE *list;
	char *pages[GROUP];
};

/* Pauses of many lengths: without any, no write ever gets through, and nothing is tested. */
static void dirty_forever(const struct dirty *dirty)
{
	struct control *control = dirty->control;
	int fd = open(dirty->path, O_RDWR);
	char *map =
		mmap(NULL, dirty->size * dirty->count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (fd >= 0 && map != MAP_FAILED) {
		uint64_t first = atomic_load(&control->first);
		uint64_t end = first + atomic_load(&control->length);

		byte++;
		for (uint64_t at = first; at < end; at += RAW_PAGE) {
			if (!dirty->by_write)
				((volatile char *)map)[at + 7] = byte;
			else if (pwrite(fd, &byte, 1, (off_t)at + 7) != 1)
				goto out;
		}
		/* Not a round for a place that was changed meanwhile. */
		if (atomic_load(&control->first) == first)
			atomic_fetch_add(&control->rounds, 1);
		/* While any process has the page mapped, it cannot be dropped: EAGAIN for ever. */
		if (!dirty->by_write)
			madvise(map + first, end - first, MADV_DONTNEED);
		usleep((unsigned)(byte & 15) * 500);
	}
out:
	atomic_store(&control->failed, true);
	_exit(1);
}

static bool move_to(struct dirty *dirty, uint64_t first, uint64_t length)
{
	struct control *control = dirty->control;

	atomic_store(&control->length, length);
	atomic_store(&control->first, first);
	atomic_store(&control->rounds, 0);
	while (atomic_load(&control->rounds) < 2) {
		if (atomic_load(&control->failed))
			return false;
		usleep(200);
	}
	return true;
}

/* A handle that has caught a torn write is poisoned: go on with another. */
static int reopen(struct dirty *dirty)
{
	atomicio_close(dirty->library.file);
	dirty->library.file = NULL;
	return library_open(&dirty->library, dirty->library.fd);
}

static int judge(struct dirty *dirty, uint64_t offset, int32_t result)
{
	if (result == 0) {
		dirty->ok++;
		fprintf(dirty->list, "%llu\n", (unsigned long long)offset);
	} else if (result == -EAGAIN) {
		dirty->again++;
	} else if (result == -EIO && dirty->library.kinds_seen & 1U << ATOMICIO_KIND_BROKEN) {
		dirty->broken++;
		return 1;
	} else if (result == -ENOTRECOVERABLE) {
		dirty->poisoned++;
		return 1;
	} else if (result == -EIO && dirty->library.kinds_seen & 1U << ATOMICIO_KIND_MEDIA) {
		dirty->stale++; /* the caller looks for the kernel's own line about it */
	} else {
		dirty->other++;
		dirty->last_other = result;
	}
	return 0;
}

static int write_all(struct dirty *dirty)
{
	uint32_t group = dirty->library.way == WAY_QUEUE ? GROUP : 1;
	uint64_t offsets[GROUP];
	int32_t results[GROUP];
	int error = 0, poisoned;

	for (uint64_t i = 0; !error && i + group <= dirty->count; i += group) {
		for (uint32_t j = 0; j < group; j++) {
			offsets[j] = (i + j) * dirty->size;
			raw_fill(dirty->pages[j], dirty->size, offsets[j] + 1);
		}
		if (!move_to(dirty, offsets[0], group * dirty->size))
			return -EREMOTEIO;
		dirty->library.kinds_seen = 0;
		library_write_many(&dirty->library, dirty->pages, offsets, dirty->size, results,
				   group);
		poisoned = 0;
		for (uint32_t j = 0; j < group; j++)
			poisoned |= judge(dirty, offsets[j], results[j]);
		if (poisoned)
			error = reopen(dirty);
	}
	return error;
}

/* Pages of the list that are not as written. */
static uint64_t wrong_contents(struct dirty *dirty, const char *list)
{
	FILE *in = fopen(list, "r");
	char *found = dirty->pages[1], *wanted = dirty->pages[0];
	unsigned long long offset;
	uint64_t wrong = 0;

	while (in && fscanf(in, "%llu", &offset) == 1) {
		raw_fill(wanted, dirty->size, offset + 1);
		if (pread(dirty->library.fd, found, dirty->size, (off_t)offset) !=
		    (ssize_t)dirty->size)
			memset(found, 0, dirty->size);
		for (uint64_t at = 7; at < dirty->size; at += RAW_PAGE)
			found[at] = wanted[at];
		wrong += memcmp(found, wanted, dirty->size) != 0;
	}
	if (!in || fclose(in) != 0)
		wrong = UINT64_MAX;
	return wrong;
}

static int run(struct dirty *dirty, const char *list)
{
	pid_t child;
	int error;

	dirty->list = fopen(list, "w");
	error = dirty->list ? library_open(&dirty->library, open(dirty->path, O_RDWR | O_DIRECT))
			    : -errno;
	if (error)
		return error;
	child = fork();
	if (child == 0)
		dirty_forever(dirty);
	error = child < 0 ? -errno : write_all(dirty);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	if (fclose(dirty->list) != 0 && !error)
		error = -EIO;
	/*
	 * Gives EIO where a page could not be dropped after a direct write.  The kernel says it
	 * once, and may have said it to a write-back of the library's.  Ask the library.
	 */
	dirty->sync = atomicio_sync(dirty->library.file);
	(void)!fsync(dirty->library.fd);
	return error;
}

int library_dirty_command(int argc, char **argv)
{
	struct dirty dirty = {0};
	struct atomicio_stats stats = {0};
	char name[32];
	int error;

	if (argc < 8 || !library_way(argv[6], &dirty.library.way))
		return 2;
	dirty.path = argv[2];
	dirty.size = strtoull(argv[3], NULL, 0);
	dirty.count = strtoull(argv[4], NULL, 0);
	dirty.by_write = strcmp(argv[5], "write") == 0;
	dirty.library.options.retries_max = argc > 8 ? (uint32_t)strtoul(argv[8], NULL, 0) : 4;
	dirty.control =
		mmap(NULL, RAW_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (uint32_t i = 0; i < GROUP; i++) {
		if (posix_memalign((void **)&dirty.pages[i], RAW_PAGE, dirty.size))
			return 1;
	}
	error = dirty.control == MAP_FAILED ? -errno : run(&dirty, argv[7]);
	if (error) {
		printf("error=%s\n", strerrorname_np(-error));
		return 1;
	}
	atomicio_file_get_stats(dirty.library.file, &stats, sizeof(stats));
	printf("ok=%llu again=%llu broken=%llu poisoned=%llu stale=%llu other=%llu last=%d "
	       "contents=%llu sync=%s retries=%llu\n",
	       (unsigned long long)dirty.ok, (unsigned long long)dirty.again,
	       (unsigned long long)dirty.broken, (unsigned long long)dirty.poisoned,
	       (unsigned long long)dirty.stale, (unsigned long long)dirty.other, dirty.last_other,
	       (unsigned long long)wrong_contents(&dirty, argv[7]),
	       raw_result_name(dirty.sync, name, sizeof(name)), (unsigned long long)stats.retries);
	library_close(&dirty.library);
	return 0;
}
