/* SPDX-License-Identifier: MIT */
/*
 * Writes of every size on both sides of every bound, by pwritev2 and by io_uring.
 *
 * Flow: from raw.c: `raw sweep PATH MIN MAX`; MIN 0 says that the file can write nothing untorn.
 *
 * Rules for a length L at an offset O:
 * - L a power of two, MIN <= L <= MAX, O a multiple of L: the result is L and all sectors are new;
 * - else the result is EINVAL, and no sector has changed;
 * - a file that cannot: EOPNOTSUPP always, and no sector has changed.
 */
#define _GNU_SOURCE
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_LENGTH_MAX (4U << 20)
#define SWEEP_SLOW (128U << 10) /* above it, few lengths and offsets: emulated disks are slow */

struct sweep {
	uint64_t min, max;
	uint64_t tried, done, wrong;
	struct raw_shot shot;
};

static int64_t expected(const struct sweep *sweep, uint64_t length, uint64_t offset)
{
	if (sweep->min == 0)
		return -EOPNOTSUPP;
	if ((length & (length - 1)) != 0 || length < sweep->min || length > sweep->max ||
	    offset % length != 0)
		return -EINVAL;
	return (int64_t)length;
}

static void try_one(struct sweep *sweep, uint64_t length, uint64_t offset)
{
	struct raw_outcome outcome;
	int64_t wanted = expected(sweep, length, offset);
	uint64_t new_ = wanted > 0 ? length / RAW_SECTOR : 0;
	char name[32];
	int error;

	sweep->shot.length = length;
	sweep->shot.offset = offset;
	error = raw_shoot(&sweep->shot, &outcome);
	sweep->tried++;
	if (!error && outcome.result > 0)
		sweep->done++;
	if (!error && outcome.result == wanted && outcome.new_ == new_ && outcome.zeroed == 0 &&
	    outcome.other == 0 && outcome.outside == 0 && outcome.cached == 0 &&
	    outcome.unreadable == 0 && outcome.size_before == outcome.size_after)
		return;
	sweep->wrong++;
	printf("wrong: via=%d length=%llu offset=%llu wanted=%s error=%d ", sweep->shot.via,
	       (unsigned long long)length, (unsigned long long)offset,
	       raw_result_name(wanted, name, sizeof(name)), error);
	raw_outcome_print(stdout, &outcome);
}

/*
 * A length that is no power of two has no right offset: one offset is enough.  Long lengths are
 * tried only next to the maximum.  A file without untorn writes has no bounds to test.
 */
static void try_length(struct sweep *sweep, uint64_t length, uint64_t near)
{
	static const enum raw_via ways[] = {RAW_PWRITEV2, RAW_URING_WRITE};
	const bool is_long = length > SWEEP_SLOW && near != sweep->max;
	const bool is_power = (length & (length - 1)) == 0;

	if (length == 0 || length > SWEEP_LENGTH_MAX || (is_long && !is_power))
		return;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		sweep->shot.via = ways[i];
		try_one(sweep, length, 0);
		if (is_long || !is_power || sweep->min == 0)
			continue;
		try_one(sweep, length, length * 3);
		if (length / 2 >= RAW_SECTOR)
			try_one(sweep, length, length * 2 + length / 2);
		try_one(sweep, length, length + RAW_SECTOR);
	}
}

int raw_sweep_command(int argc, char **argv)
{
	struct sweep sweep = {0};
	uint64_t top;

	if (argc != 5)
		return 2;
	raw_shot_init(&sweep.shot, argv[2], 0, 0);
	sweep.min = strtoull(argv[3], NULL, 0);
	sweep.max = strtoull(argv[4], NULL, 0);
	top = sweep.max ? sweep.max * 2 : 64 * 1024;
	sweep.shot.fd = open(argv[2], O_RDWR | O_DIRECT);
	if (sweep.shot.fd < 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	for (uint64_t length = RAW_SECTOR; length <= top; length *= 2) {
		try_length(&sweep, length, length);
		try_length(&sweep, length + RAW_SECTOR, length);
		if (sweep.min == 0)
			continue;
		try_length(&sweep, length + length / 2, length);
		if (length > 2 * RAW_SECTOR)
			try_length(&sweep, length - RAW_SECTOR, length);
	}
	close(sweep.shot.fd);
	printf("tried=%llu done=%llu wrong=%llu\n", (unsigned long long)sweep.tried,
	       (unsigned long long)sweep.done, (unsigned long long)sweep.wrong);
	return sweep.wrong != 0;
}
