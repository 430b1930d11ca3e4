/* SPDX-License-Identifier: MIT */
/*
 * Goal: where the kernel cannot write untorn, nothing is written, the reason is named, and a
 * tearable write happens only if it was asked for by name.
 *
 * Method: refuse.sh mounts ext4, tmpfs, XFS without reflink and overlay over XFS with reflink
 * (where statx passes the lower file's claim through), and runs the tests that fit each.
 */
#include "kernel_test.h"

#include <sys/socket.h>

#define NAME "refuse"

/* Common to all incapable files. */
static struct atomicio_caps refused(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);
	const struct atomicio_caps caps = kernel_caps(file);
	static const struct atomicio_limits none;

	CHECK(!memcmp(&caps.direct, &none, sizeof(none)));
	CHECK(!memcmp(&caps.buffered, &none, sizeof(none)));
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, 0), -EOPNOTSUPP);
	CHECK_EQ(policy.seen, 1);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_UNSUPPORTED);
	CHECK_EQ(policy.last.error, -EOPNOTSUPP);
	CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
	CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	CHECK_EQ(kernel_stats(file).writes_failed, 1);
	CHECK_EQ(kernel_stats(file).bytes, 0);
	atomicio_close(file);
	close(fd);
	return caps;
}

/* A2 */
static void ext4_without_hardware_is_refused(void)
{
	const struct atomicio_caps caps = refused();

	CHECK(caps.reasons & ATOMICIO_REASON_DEVICE_UNSUPPORTED);
	CHECK(!strcmp(caps.filesystem_type, "ext4"));
}

/* A2 */
static void tmpfs_is_refused(void)
{
	const struct atomicio_caps caps = refused();

	CHECK(caps.reasons & ATOMICIO_REASON_FS_UNSUPPORTED);
	CHECK(!strcmp(caps.filesystem_type, "tmpfs"));
}

static void btrfs_is_refused(void)
{
	const struct atomicio_caps caps = refused();

	CHECK(caps.reasons & ATOMICIO_REASON_FS_UNSUPPORTED);
	CHECK(!strcmp(caps.filesystem_type, "btrfs"));
}

/* A2, A26 */
static void xfs_without_reflink_is_refused(void)
{
	const struct atomicio_caps caps = refused();

	CHECK(caps.reasons & ATOMICIO_REASON_XFS_NEEDS_REFLINK);
}

/* A6 */
static void overlay_is_refused_although_statx_says_yes(void)
{
	const struct atomicio_caps caps = refused();

	CHECK(caps.statx_unit_max > 0); /* the lie */
	CHECK(caps.evidence & ATOMICIO_EVIDENCE_CONFIRM);
	CHECK_EQ(caps.confirm_result, -EOPNOTSUPP);
	CHECK(caps.reasons & ATOMICIO_REASON_OVERLAY);
}

/* refuse.sh puts a link to a loop device there. */
/* A21 */
static void a_raw_device_without_hardware_is_refused(void)
{
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_file *file;
	struct atomicio_caps caps;
	uint8_t *bytes = kernel_memory(MIB);
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/device", kernel_directory);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	MUST(fd);
	kernel_fill(bytes, MIB, 0, 1);
	CHECK_EQ(pwrite(fd, bytes, MIB, 0), MIB);
	free(bytes);
	file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);
	caps = kernel_caps(file);
	CHECK_EQ(caps.file_mode, S_IFBLK);
	CHECK_EQ(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	CHECK(caps.reasons & ATOMICIO_REASON_DEVICE_UNSUPPORTED);
	CHECK(!strncmp(caps.disk_name, "loop", 4));
	CHECK_EQ(caps.partition_offset, 0);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, 0), -EOPNOTSUPP);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_UNSUPPORTED);
	CHECK(kernel_holds("device", 0, 64 * KIB, 1));
	atomicio_close(file);

	policy.answer = ATOMICIO_FALLBACK;
	file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 16 * KIB, 0), 0);
	CHECK(kernel_holds("device", 16 * KIB, 16 * KIB, 2));
	CHECK(kernel_holds("device", 0, 16 * KIB, 1));
	CHECK(kernel_write(file, 2, 16 * KIB, MIB - 8 * KIB, 0) < 0); /* across the end */
	CHECK(kernel_write(file, 2, 16 * KIB, MIB, 0) < 0);
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	CHECK(kernel_holds("device", 32 * KIB, MIB - 32 * KIB, 1));
	atomicio_close(file);
	close(fd);
}

static void a_plain_write_must_be_asked_for_and_is_counted(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_DEFAULT);

	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 0, 0), -EOPNOTSUPP);
	CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	atomicio_close(file);

	file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 16 * KIB, ATOMICIO_DSYNC), 0);
	CHECK_EQ(policy.last.allowed, ATOMICIO_FAIL | ATOMICIO_FALLBACK);
	CHECK(kernel_holds(NAME, 16 * KIB, 16 * KIB, 2));
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 1));
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	CHECK_EQ(kernel_stats(file).fallbacks, 1);
	CHECK_EQ(kernel_stats(file).writes_filesystem + kernel_stats(file).writes_hardware, 0);
	CHECK_EQ(kernel_stats(file).writes_failed, 0);
	atomicio_close(file);

	file = kernel_open(fd, &(struct atomicio_options){.fallback = ATOMICIO_FALLBACK_PLAIN});
	CHECK_EQ(kernel_write(file, 3, 16 * KIB, 0, 0), 0);
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 3));
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	atomicio_close(file);
	close(fd);
}

/* A direct descriptor, whatever of the kernel or the library copies the bytes. */
static void a_plain_write_of_an_unaligned_buffer_bounces(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN,
						 .bounce_max = 16 * KIB};
	struct atomicio_file *file = kernel_open(fd, &options);
	uint8_t *bytes = kernel_memory(20 * KIB);

	for (uint32_t i = 1; i < 4; i++) {
		uint8_t *page = bytes + (i == 3 ? 512 : i);

		kernel_fill(page, 16 * KIB, i * 16 * KIB, 1 + i);
		CHECK_EQ(atomicio_write(file, page, 16 * KIB, i * 16 * KIB, ATOMICIO_DSYNC), 0);
		CHECK(kernel_holds(NAME, i * 16 * KIB, 16 * KIB, 1 + i));
	}
	CHECK(kernel_stats(file).bounces >= 2);
	CHECK_EQ(kernel_stats(file).writes_plain, 3);
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 1));
	atomicio_close(file);
	free(bytes);
	close(fd);
}

/* XFS refuses these before any change; other filesystems may differ. */
static void a_plain_write_that_a_direct_descriptor_refuses_leaves_the_old_page(void)
{
	static const struct {
		size_t misalign, length;
		uint64_t offset, reasons;
	} rows[] = {
		{1, 16 * KIB, 0, ATOMICIO_REASON_MEMORY_UNALIGNED},
		{0, 16 * KIB - 100, 0, ATOMICIO_REASON_LENGTH_UNALIGNED},
		{0, 16 * KIB, 100, ATOMICIO_REASON_OFFSET_UNALIGNED},
		{4, 1000, 10,
		 ATOMICIO_REASON_MEMORY_UNALIGNED | ATOMICIO_REASON_LENGTH_UNALIGNED |
			 ATOMICIO_REASON_OFFSET_UNALIGNED},
	};
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	uint8_t *page = kernel_memory(20 * KIB);

	kernel_fill(page, 20 * KIB, 0, 2);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
		struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);

		CHECK_EQ(atomicio_write(file, page + rows[i / 2].misalign, rows[i / 2].length,
					rows[i / 2].offset, i % 2 ? ATOMICIO_DSYNC : 0),
			 -EINVAL);
		CHECK_EQ(policy.last.path, ATOMICIO_PATH_PLAIN);
		CHECK_EQ(policy.last.kind, ATOMICIO_KIND_SHAPE);
		CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
		CHECK_EQ(policy.last.reasons, rows[i / 2].reasons);
		CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
		CHECK_EQ(kernel_stats(file).writes_plain, 0);
		CHECK_EQ(atomicio_sync(file), 0);
		atomicio_close(file);
	}
	/* Not direct any more: the file is buffered, and accepts any shape. */
	{
		struct atomicio_file *file = kernel_open(
			fd, &(struct atomicio_options){.fallback = ATOMICIO_FALLBACK_PLAIN});

		MUST(fcntl(fd, F_SETFL, 0));
		kernel_fill(page + 4, 1000, 10, 3);
		CHECK_EQ(atomicio_write(file, page + 4, 1000, 10, 0), 0);
		CHECK(kernel_holds(NAME, 10, 1000, 3));
		atomicio_close(file);
	}
	free(page);
	close(fd);
}

/* refuse.sh mounts ext4 with blocks of 4 KiB. */
#define EXT4_LARGEST ((UINT64_C(1) << 44) - 4 * KIB)

/* A41 */
static void ext4_seeks_up_to_the_largest_size_of_a_file(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR);

	CHECK_EQ(lseek(fd, (off_t)EXT4_LARGEST, SEEK_SET), EXT4_LARGEST);
	CHECK_EQ(lseek(fd, (off_t)EXT4_LARGEST + 1, SEEK_SET), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(lseek(fd, INT64_MAX, SEEK_SET), -1);
	CHECK_EQ(errno, EINVAL);
	close(fd);
}

/* The last page of 16 KiB, with room for 12 KiB. */
/* A41 */
static void a_write_across_the_largest_size_of_a_file_writes_nothing(void)
{
	const uint64_t last = EXT4_LARGEST + 4 * KIB - 16 * KIB;

	for (int direct = 0; direct < 2; direct++) {
		const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | (direct ? O_DIRECT : 0));
		struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
		struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);

		CHECK_EQ(kernel_write(file, 2, 16 * KIB, last, ATOMICIO_DSYNC), -EFBIG);
		CHECK_EQ(policy.last.path, ATOMICIO_PATH_PLAIN);
		CHECK_EQ(policy.last.kind, ATOMICIO_KIND_SPACE);
		CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
		CHECK_EQ(policy.last.reasons, ATOMICIO_REASON_FILE_SIZE_LIMIT);
		CHECK_EQ(kernel_size(NAME), 64 * KIB);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0); /* the caller's cursor */
		CHECK_EQ(kernel_write(file, 3, 16 * KIB, last - 16 * KIB, ATOMICIO_DSYNC), 0);
		CHECK(kernel_holds(NAME, last - 16 * KIB, 16 * KIB, 3));
		CHECK_EQ(atomicio_sync(file), 0);
		atomicio_close(file);
		close(fd);
	}
}

static void misuse_is_refused_on_an_incapable_file_too(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);
	uint8_t *page = kernel_memory(16 * KIB);

	CHECK_EQ(atomicio_write(file, page, 0, 0, 0), -EINVAL);
	CHECK_EQ(atomicio_write(file, NULL, 0, 0, 0), -EINVAL);
	CHECK_EQ(atomicio_write(file, NULL, 16 * KIB, 0, 0), -EINVAL);
	CHECK_EQ(policy.seen, 0);
	CHECK_EQ(kernel_stats(file).writes_hardware, 0);
	CHECK(atomicio_check(file, page, 16 * KIB, 0));
	CHECK(atomicio_check(file, page, 0, 0));
	atomicio_close(file);
	free(page);
	close(fd);
}

static void what_is_no_file_gets_a_clear_error(void)
{
	struct atomicio_caps caps;
	int ends[2], fd = open(kernel_directory, O_RDONLY | O_DIRECTORY);

	memset(&caps, 0x5a, sizeof(caps));
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), -EISDIR);
	close(fd);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), -EBADF);
	CHECK_EQ(atomicio_probe(-1, &caps, sizeof(caps)), -EBADF);
	MUST(pipe(ends));
	CHECK_EQ(atomicio_probe(ends[1], &caps, sizeof(caps)), -ESPIPE);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	CHECK_EQ(atomicio_probe(ends[0], &caps, sizeof(caps)), -ESPIPE);
	fd = open("/dev/null", O_RDWR);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), -EINVAL);
	close(fd);
	fd = kernel_file(NAME, 4096, O_PATH);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), -EBADF);
	close(fd);
	fd = kernel_file(NAME, 4096, O_RDWR);
	CHECK_EQ(atomicio_probe(fd, NULL, sizeof(caps)), -EFAULT);
	CHECK_EQ(atomicio_probe(fd, &caps, 8), -EINVAL);
	for (size_t i = 0; i < sizeof(caps); i++)
		CHECK_EQ(((uint8_t *)&caps)[i], 0x5a);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(ext4_without_hardware_is_refused),
		TEST(tmpfs_is_refused),
		TEST(btrfs_is_refused),
		TEST(xfs_without_reflink_is_refused),
		TEST(overlay_is_refused_although_statx_says_yes),
		TEST(a_raw_device_without_hardware_is_refused),
		TEST(a_plain_write_must_be_asked_for_and_is_counted),
		TEST(a_plain_write_of_an_unaligned_buffer_bounces),
		TEST(a_plain_write_that_a_direct_descriptor_refuses_leaves_the_old_page),
		TEST(ext4_seeks_up_to_the_largest_size_of_a_file),
		TEST(a_write_across_the_largest_size_of_a_file_writes_nothing),
		TEST(misuse_is_refused_on_an_incapable_file_too),
		TEST(what_is_no_file_gets_a_clear_error),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
