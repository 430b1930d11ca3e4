/* SPDX-License-Identifier: MIT */
/*
 * A program as a user would write it, built against the installed tree.
 *
 * Flow: tests/abi/installed.sh installs the library and builds this in every documented way.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <libatomicio/atomicio.h>

int main(int argc, char **argv)
{
	struct atomicio_caps caps;
	int fd = open(argc > 1 ? argv[1] : argv[0], O_RDONLY), error;

	if (atomicio_version() != ATOMICIO_VERSION_MAJOR * 10000 + ATOMICIO_VERSION_MINOR * 100 +
					  ATOMICIO_VERSION_PATCH) {
		fprintf(stderr, "header and library differ: %u\n", (unsigned)atomicio_version());
		return 1;
	}
	error = atomicio_probe(fd, &caps, sizeof(caps));
	close(fd);
	if (error) {
		fprintf(stderr, "probe: %d\n", error);
		return 1;
	}
	printf("%s\n", atomicio_mechanism_name(caps.direct.mechanism));
	return 0;
}
