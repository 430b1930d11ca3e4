/* SPDX-License-Identifier: MIT */
/*
 * Goal: the public call on real files of this machine: its refusals, its untouched outputs, and
 * every size of the caller's struct.
 * Method: descriptors of every kind; no privilege, no special filesystem.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_run.h"
#include "libatomicio/atomicio.h"

#define FIRST_SIZE 256 /* of struct atomicio_caps in 0.1 */

static void refuse(int fd, int error)
{
	struct atomicio_caps caps, before;

	memset(&caps, 0xa5, sizeof(caps));
	before = caps;
	errno = 77;
	ck_assert_int_eq(atomicio_probe(fd, &caps, sizeof(caps)), error);
	ck_assert_int_eq(errno, 77);
	ck_assert_mem_eq(&caps, &before, sizeof(caps));
}

/* A file in the working directory that has no name. */
static int scratch_file(int flags)
{
	char name[] = "probe_files.XXXXXX";
	int fd = mkstemp(name);
	int other;

	ck_assert_int_ge(fd, 0);
	other = open(name, flags);
	unlink(name);
	close(fd);
	return other;
}

START_TEST(regular_file_gets_an_answer_that_hangs_together)
{
	const int fd = scratch_file(O_RDWR);
	struct atomicio_caps caps;
	struct stat stat;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	errno = 77;
	ck_assert_int_eq(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	ck_assert_int_eq(errno, 77);
	ck_assert_uint_eq(caps.file_mode, S_IFREG);
	ck_assert(caps.reasons & ATOMICIO_REASON_NOT_DIRECT);
	ck_assert(caps.reasons & ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL);
	ck_assert_uint_gt(caps.kernel_major, 0);
	ck_assert_uint_eq(caps.buffered.mechanism, ATOMICIO_MECHANISM_NONE);
	if (caps.direct.mechanism == ATOMICIO_MECHANISM_NONE)
		ck_assert_uint_eq(caps.direct.unit_max, 0);
	else
		ck_assert_uint_ge(caps.direct.unit_max, caps.direct.unit_min);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(stat.st_size, 4096);
	close(fd);
}
END_TEST

START_TEST(tmpfs_is_unsupported_and_says_why)
{
	const int fd = memfd_create("probe", 0);
	struct atomicio_caps caps;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	ck_assert(caps.reasons & ATOMICIO_REASON_FS_UNSUPPORTED);
	ck_assert_str_eq(caps.filesystem_type, "tmpfs");
	ck_assert(!(caps.reasons & ATOMICIO_REASON_DISK_UNKNOWN));
	close(fd);
}
END_TEST

START_TEST(sealed_file_is_unconfirmed_or_refused_but_never_claimed)
{
	const int fd = memfd_create("probe", MFD_ALLOW_SEALING);
	struct atomicio_caps caps;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	ck_assert_int_eq(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	close(fd);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
	int pipes[2], sockets[2];
	int fd;

	ck_assert_int_eq(pipe(pipes), 0);
	refuse(pipes[0], -ESPIPE);
	refuse(pipes[1], -ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	refuse(sockets[0], -ESPIPE);
	close(sockets[0]);
	close(sockets[1]);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(fd, 0);
	refuse(fd, -EISDIR);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	ck_assert_int_ge(fd, 0);
	refuse(fd, -EINVAL);
	close(fd);
}
END_TEST

START_TEST(closed_and_path_descriptors_are_refused)
{
	int fd = scratch_file(O_RDWR);

	ck_assert_int_ge(fd, 0);
	close(fd);
	refuse(fd, -EBADF);
	refuse(-1, -EBADF);
	refuse(AT_FDCWD, -EBADF);
	fd = scratch_file(O_PATH);
	ck_assert_int_ge(fd, 0);
	refuse(fd, -EBADF);
	close(fd);
}
END_TEST

START_TEST(read_only_file_is_unconfirmed)
{
	const int fd = scratch_file(O_RDONLY);
	struct atomicio_caps caps;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	ck_assert(caps.reasons & ATOMICIO_REASON_READ_ONLY);
	ck_assert(caps.reasons & ATOMICIO_REASON_UNCONFIRMED);
	ck_assert_int_eq(caps.confirm_result, 0);
	close(fd);
}
END_TEST

START_TEST(struct_of_the_first_release_is_the_shortest)
{
	const int fd = memfd_create("probe", 0);
	uint8_t bytes[sizeof(struct atomicio_caps) + 16];

	for (size_t size = 0; size < FIRST_SIZE; size++) {
		memset(bytes, 0xa5, sizeof(bytes));
		ck_assert_int_eq(atomicio_probe(fd, (struct atomicio_caps *)(void *)bytes, size),
				 -EINVAL);
		for (size_t i = 0; i < sizeof(bytes); i++)
			ck_assert_uint_eq(bytes[i], 0xa5);
	}
	memset(bytes, 0xa5, sizeof(bytes));
	ck_assert_int_eq(atomicio_probe(fd, (struct atomicio_caps *)(void *)bytes, FIRST_SIZE), 0);
	ck_assert_uint_eq(bytes[FIRST_SIZE], 0xa5);
	close(fd);
}
END_TEST

START_TEST(longer_struct_gets_a_tail_of_zeros)
{
	const int fd = memfd_create("probe", 0);
	struct {
		struct atomicio_caps caps;
		uint8_t tail[24];
	} larger;

	memset(&larger, 0xa5, sizeof(larger));
	ck_assert_int_eq(atomicio_probe(fd, &larger.caps, sizeof(larger) - 8), 0);
	for (size_t i = 0; i < 16; i++)
		ck_assert_uint_eq(larger.tail[i], 0);
	for (size_t i = 16; i < 24; i++)
		ck_assert_uint_eq(larger.tail[i], 0xa5);
	close(fd);
}
END_TEST

START_TEST(no_struct_is_a_fault)
{
	ck_assert_int_eq(atomicio_probe(0, NULL, sizeof(struct atomicio_caps)), -EFAULT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		regular_file_gets_an_answer_that_hangs_together,
		tmpfs_is_unsupported_and_says_why,
		sealed_file_is_unconfirmed_or_refused_but_never_claimed,
		what_is_no_file_is_refused,
		closed_and_path_descriptors_are_refused,
		read_only_file_is_unconfirmed,
		struct_of_the_first_release_is_the_shortest,
		longer_struct_gets_a_tail_of_zeros,
		no_struct_is_a_fault,
	};

	return check_run("probe_files", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
