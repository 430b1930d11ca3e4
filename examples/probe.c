/* SPDX-License-Identifier: MIT */
/*
 * Ask what one file can do, and choose a page size by the answer.
 *
 * Flow: open, probe, print.  Run as: probe FILE
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>

/* The largest untorn page of this file, up to `wanted`; 0: none. */
static uint32_t page_size(const struct atomicio_limits *limits, uint32_t wanted)
{
	if (limits->mechanism == ATOMICIO_MECHANISM_NONE || wanted < limits->unit_min)
		return 0;
	return wanted < limits->unit_max ? wanted : limits->unit_max;
}

int main(int argc, char **argv)
{
	struct atomicio_caps caps;
	uint64_t reason;
	uint32_t page;
	int fd, error;

	if (argc != 2) {
		fprintf(stderr, "usage: probe FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 2;
	}
	error = atomicio_probe(fd, &caps, sizeof(caps));
	close(fd);
	if (error) {
		fprintf(stderr, "%s: cannot be probed: %s\n", argv[1], strerror(-error));
		return 2;
	}

	if (caps.direct.mechanism != ATOMICIO_MECHANISM_NONE)
		printf("untorn by %s, %" PRIu32 " to %" PRIu32 " bytes; not more because:\n",
		       atomicio_mechanism_name(caps.direct.mechanism), caps.direct.unit_min,
		       caps.direct.unit_max);
	else
		printf("not untorn, because:\n");
	while ((reason = atomicio_reason_next(&caps.reasons)))
		printf("  %s: %s\n", atomicio_reason_name(reason), atomicio_reason_text(reason));
	page = page_size(&caps.direct, 16384);
	if (!page) {
		printf("a database here needs its own double write\n");
		return 1;
	}
	printf("a database here can use pages of %" PRIu32 " bytes and no double write\n", page);
	return 0;
}
