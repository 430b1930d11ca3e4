/* SPDX-License-Identifier: MIT */
/*
 * Goal: without any privilege the probe answers, names what it could not learn, and the
 * user's own file is written untorn.
 *
 * Method: unprivileged.sh runs this program as nobody in a directory of nobody's on XFS.
 */
#include "kernel_test.h"

#define NAME "unprivileged"

/* A8 */
static void the_probe_needs_no_privilege(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_caps caps;

	CHECK(geteuid() != 0);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	CHECK_EQ(caps.direct.mechanism, ATOMICIO_MECHANISM_FILESYSTEM);
	CHECK_EQ(caps.direct.unit_min, 4096);
	CHECK(caps.direct.unit_max >= 16 * KIB);
	CHECK_EQ(caps.confirm_result, -EINVAL);
	CHECK(!strcmp(caps.filesystem_type, "xfs"));
	if (!caps.filesystem_uuid[0])
		CHECK(caps.reasons & ATOMICIO_REASON_CONTENTS_UNKNOWN);
	if (!(caps.evidence & ATOMICIO_EVIDENCE_DISK))
		CHECK(caps.reasons & ATOMICIO_REASON_DISK_UNKNOWN);
	close(fd);
}

/* A8 */
static void an_untorn_write_needs_no_privilege(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);

	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 16 * KIB, ATOMICIO_DSYNC), 0);
	CHECK(kernel_holds(NAME, 16 * KIB, 16 * KIB, 2));
	CHECK_EQ(kernel_stats(file).writes_filesystem, 1);
	atomicio_close(file);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(the_probe_needs_no_privilege),
		TEST(an_untorn_write_needs_no_privilege),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
