/* SPDX-License-Identifier: MIT */
/*
 * Where a long has 32 bits: places beyond 4 GiB are reached, and a pause lasts.
 *
 * Flow: `wide FILE`, built by run.sh for i386 with either width of time_t, and run under qemu-user.
 *
 * Method: a page is written at the end of a file of 5 GiB, which is a hole else, and read back
 * there; then the pause between two attempts is timed.  Without _FILE_OFFSET_BITS=64 in the library
 * the first is EOVERFLOW, and a timespec of the wrong width pauses for no time.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libatomicio/atomicio.h"
#include "sys.h"

#define SIZE (5ull << 30)
#define PAGE 4096u
#define PAUSE_US 50000u

static int writes_far_out(int fd)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	static char page[PAGE], back[PAGE];
	struct atomicio_file *file;
	int error;

	memset(page, 'w', sizeof(page));
	error = atomicio_open(fd, &options, sizeof(options), &file);
	if (!error)
		error = atomicio_write(file, page, PAGE, SIZE - PAGE, 0);
	if (!error)
		error = atomicio_close(file);
	if (error) {
		fprintf(stderr, "wide: %s\n", strerror(-error));
		return 1;
	}
	if (pread(fd, back, PAGE, (off_t)(SIZE - PAGE)) != (ssize_t)PAGE ||
	    memcmp(page, back, PAGE)) {
		fprintf(stderr, "wide: the page is not where it was written\n");
		return 1;
	}
	return 0;
}

static int64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int pauses(void)
{
	const int64_t from = now_us();
	int64_t took;

	sys_linux.sleep_us(PAUSE_US);
	took = now_us() - from;
	if (took >= (int64_t)PAUSE_US)
		return 0;
	fprintf(stderr, "wide: a pause of %u us took %" PRId64 " us\n", PAUSE_US, took);
	return 1;
}

int main(int argc, char **argv)
{
	const int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

	if (fd < 0 || ftruncate(fd, (off_t)SIZE)) {
		perror("wide");
		return 1;
	}
	return writes_far_out(fd) | pauses();
}
