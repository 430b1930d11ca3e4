/* SPDX-License-Identifier: MIT */
/*
 * Probe a file once: for counting the probe's system calls, and for its time.
 *
 * Flow: run by hand or by a script.  usage: probe_once PATH [ROUNDS]
 *
 * The probe runs between two calls of getppid(2), the only ones in the program:
 * `strace -f probe_once PATH` shows the probe's calls between two marks.  The first probe of the
 * process is cold; with ROUNDS the median of the warm probes is printed too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libatomicio/atomicio.h"

#define ROUNDS_MAX 100000

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print(const struct atomicio_caps *caps)
{
	uint64_t reasons = caps->reasons, reason;

	printf("direct %s %" PRIu32 "..%" PRIu32 " hardware %" PRIu32 " evidence %#" PRIx32 " %s %s"
	       " %s\n",
	       atomicio_mechanism_name(caps->direct.mechanism), caps->direct.unit_min,
	       caps->direct.unit_max, caps->direct.unit_max_hw, caps->evidence,
	       caps->filesystem_type, caps->filesystem_uuid, caps->disk_name);
	while ((reason = atomicio_reason_next(&reasons)))
		printf("reason %s\n", atomicio_reason_name(reason));
}

int main(int argc, char **argv)
{
	static uint64_t times[ROUNDS_MAX];
	const int rounds = argc > 2 ? atoi(argv[2]) : 0;
	struct atomicio_caps caps;
	uint64_t start;
	int fd, result;

	if (argc < 2 || argc > 3 || rounds < 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: probe_once PATH [ROUNDS]\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 2;
	}
	syscall(SYS_getppid);
	start = now_ns();
	result = atomicio_probe(fd, &caps, sizeof(caps));
	times[0] = now_ns() - start;
	syscall(SYS_getppid);
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-result));
		return 1;
	}
	print(&caps);
	printf("cold %.1f us\n", (double)times[0] / 1000);
	for (int i = 0; i < rounds; i++) {
		start = now_ns();
		atomicio_probe(fd, &caps, sizeof(caps));
		times[i] = now_ns() - start;
	}
	if (rounds) {
		qsort(times, (size_t)rounds, sizeof(times[0]), compare);
		printf("warm %.1f us, median of %d\n", (double)times[rounds / 2] / 1000, rounds);
	}
	close(fd);
	return 0;
}
