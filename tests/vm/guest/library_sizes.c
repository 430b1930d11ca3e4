/* SPDX-License-Identifier: MIT */
/*
 * Writes of every size on both sides of every bound, by each way of the library, and without it.
 *
 * Flow: from library.c: `library sizes PATH MIN MAX [lies]`; MIN 0 says that the file can write
 * nothing.
 *
 * Rules for a length L at an offset O, by every way:
 * - L a power of two, MIN <= L <= MAX, O a multiple of L: atomicio_check() says 0, the write says
 *   0, and all sectors are new;
 * - else check names a reason, the write says EINVAL, and no sector has changed;
 * - a file that cannot: EOPNOTSUPP always, and no sector has changed.
 * The raw way is RWF_ATOMIC without the library: the kernel's bounds are the library's, on both
 * sides.  With `lies` the raw way is left out: the kernel accepts such a write, and tears it.
 */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZES_LENGTH_MAX (4U << 20)
#define SIZES_SLOW (128U << 10) /* above it, few lengths and offsets: emulated disks are slow */

struct sizes {
	uint64_t min, max;
	uint64_t tried, done, wrong;
	struct library library;
	struct raw_shot shot;
	uint64_t check; /* of the write at hand */
};

static int64_t submit(void *context, const struct raw_shot *shot, int fd, char *buffer)
{
	struct sizes *sizes = context;

	(void)fd;
	sizes->check = atomicio_check(sizes->library.file, buffer, shot->length, shot->offset);
	return library_write(&sizes->library, buffer, shot->offset, shot->length);
}

static int64_t expected(const struct sizes *sizes, uint64_t length, uint64_t offset)
{
	if (sizes->min == 0)
		return -EOPNOTSUPP;
	if ((length & (length - 1)) != 0 || length < sizes->min || length > sizes->max ||
	    offset % length != 0)
		return -EINVAL;
	return 0;
}

static void try_one(struct sizes *sizes, uint64_t length, uint64_t offset)
{
	struct raw_outcome outcome;
	int64_t wanted = expected(sizes, length, offset);
	uint64_t new_ = wanted == 0 ? length / RAW_SECTOR : 0;
	int error;

	sizes->shot.length = length;
	sizes->shot.offset = offset;
	error = raw_shoot(&sizes->shot, &outcome);
	sizes->tried++;
	if (!error && outcome.result == 0)
		sizes->done++;
	if (!error && outcome.result == wanted && (sizes->check == 0) == (wanted == 0) &&
	    outcome.new_ == new_ && outcome.zeroed == 0 && outcome.other == 0 &&
	    outcome.outside == 0 && outcome.cached == 0 && outcome.unreadable == 0 &&
	    outcome.size_before == outcome.size_after)
		return;
	sizes->wrong++;
	printf("wrong: way=%d length=%llu offset=%llu wanted=%lld check=%llx error=%d ",
	       sizes->library.way, (unsigned long long)length, (unsigned long long)offset,
	       (long long)wanted, (unsigned long long)sizes->check, error);
	raw_outcome_print(stdout, &outcome);
}

/*
 * A length that is no power of two has no right offset: one offset is enough.  Long lengths are
 * tried only next to the maximum.  A file without untorn writes has no bounds to test.
 */
static void try_length(struct sizes *sizes, uint64_t length, uint64_t near)
{
	const bool is_long = length > SIZES_SLOW && near != sizes->max;
	const bool is_power = (length & (length - 1)) == 0;

	if (length == 0 || length > SIZES_LENGTH_MAX || (is_long && !is_power))
		return;
	try_one(sizes, length, 0);
	if (is_long || !is_power || sizes->min == 0)
		return;
	try_one(sizes, length, length * 3);
	if (length / 2 >= RAW_SECTOR)
		try_one(sizes, length, length * 2 + length / 2);
	try_one(sizes, length, length + RAW_SECTOR);
}

static void try_way(struct sizes *sizes, enum way way)
{
	uint64_t top = sizes->max ? sizes->max * 2 : 64 * 1024;

	sizes->library = (struct library){.way = way};
	if (library_open(&sizes->library, sizes->shot.fd) != 0) {
		printf("wrong: cannot open by way=%d\n", way);
		sizes->wrong++;
		return;
	}
	for (uint64_t length = RAW_SECTOR; length <= top; length *= 2) {
		try_length(sizes, length, length);
		try_length(sizes, length + RAW_SECTOR, length);
		if (sizes->min == 0)
			continue;
		try_length(sizes, length + length / 2, length);
		if (length > 2 * RAW_SECTOR)
			try_length(sizes, length - RAW_SECTOR, length);
	}
	library_close(&sizes->library);
}

int library_sizes_command(int argc, char **argv)
{
	struct sizes sizes = {0};

	if (argc != 5 && !(argc == 6 && strcmp(argv[5], "lies") == 0))
		return 2;
	raw_shot_init(&sizes.shot, argv[2], 0, 0);
	sizes.min = strtoull(argv[3], NULL, 0);
	sizes.max = strtoull(argv[4], NULL, 0);
	sizes.shot.submit = submit;
	sizes.shot.submit_context = &sizes;
	sizes.shot.fd = open(argv[2], O_RDWR | O_DIRECT);
	if (sizes.shot.fd < 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	try_way(&sizes, WAY_SYNC);
	try_way(&sizes, WAY_RING);
	try_way(&sizes, WAY_QUEUE);
	if (argc == 5)
		try_way(&sizes, WAY_RAW);
	close(sizes.shot.fd);
	printf("tried=%llu done=%llu wrong=%llu\n", (unsigned long long)sizes.tried,
	       (unsigned long long)sizes.done, (unsigned long long)sizes.wrong);
	return sizes.wrong != 0;
}
