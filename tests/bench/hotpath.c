/* SPDX-License-Identifier: MIT */
/*
 * Makes N writes of 4096 bytes through one handle, for tests/bench/hotpath.sh to count under
 * valgrind and strace: the difference between runs of N and 2N is the cost of N writes.
 *
 *	hotpath FILE N [plain]		plain: through the fallback that may tear
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libatomicio/atomicio.h"

#define PAGE 4096

static _Alignas(PAGE) char page[PAGE];

int main(int argc, char **argv)
{
	const int plain = argc == 4 && !strcmp(argv[3], "plain");
	const struct atomicio_options options = {.fallback = plain ? ATOMICIO_FALLBACK_PLAIN
								   : ATOMICIO_FALLBACK_NONE};
	struct atomicio_file *file;
	struct atomicio_stats stats;
	uint64_t done;
	int fd, error;

	if (argc < 3)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT | (plain ? 0 : O_DIRECT), 0644);
	error = atomicio_open(fd, &options, sizeof(options), &file);
	if (error) {
		fprintf(stderr, "hotpath: open: %s\n", strerror(-error));
		return 1;
	}
	for (int count = atoi(argv[2]); count > 0; count--) {
		error = atomicio_write(file, page, PAGE, (uint64_t)(count % 16) * PAGE, 0);
		if (error) {
			fprintf(stderr, "hotpath: write: %s\n", strerror(-error));
			return 1;
		}
	}
	error = atomicio_file_stats(file, &stats, sizeof(stats));
	done = plain ? stats.writes_plain : stats.writes_hardware + stats.writes_filesystem;
	if (error || done != (uint64_t)atoi(argv[2])) {
		fprintf(stderr, "hotpath: the writes went another way\n");
		return 1;
	}
	return atomicio_close(file) ? 1 : 0;
}
