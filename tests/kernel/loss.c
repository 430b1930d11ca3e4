/* SPDX-License-Identifier: MIT */
/*
 * Goal: a page that the device loses in write-back fails the next sync, even if another call
 * received the error before: a durable write, a write to a file with S_SYNC, or a caller's own
 * fsync.  A write that receives the error poisons the handle.
 *
 * Method: loss.sh mounts a filesystem on an image in a tmpfs.  The blocks of page 0 are punched
 * out of the image, and the tmpfs is filled.  The write-back of page 0 then gets ENOSPC, and the
 * write-back of any other page does not:
 *
 *	loss DIRECTORY IMAGE BALLAST
 */
#include "kernel_test.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define NAME "loss"
#define PAGE (16 * KIB)
#define FAR (4 * MIB) /* in no folio with page 0 */
#define FILE_SIZE (FAR + MIB)

static const char *image_path, *ballast_path;
static uint8_t *page;
static int fd;

/* Where page 0 of the file lies on the device. */
static uint64_t place_of_page_0(void)
{
	static union {
		struct fiemap map;
		uint8_t room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} ask;

	memset(&ask, 0, sizeof(ask));
	ask.map.fm_length = PAGE;
	ask.map.fm_flags = FIEMAP_FLAG_SYNC;
	ask.map.fm_extent_count = 1;
	MUST(ioctl(fd, FS_IOC_FIEMAP, &ask.map));
	CHECK_EQ(ask.map.fm_mapped_extents, 1);
	CHECK(ask.map.fm_extents[0].fe_length >= PAGE);
	return ask.map.fm_extents[0].fe_physical;
}

/* From here on page 0 cannot be written back. */
static void lose_page_0(void)
{
	const uint64_t place = place_of_page_0();
	int image = open(image_path, O_RDWR), ballast = open(ballast_path, O_RDWR | O_CREAT, 0600);

	MUST(image);
	MUST(ballast);
	MUST(fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)place, PAGE));
	for (off_t end = 0;; end += 4096)
		if (pwrite(ballast, page, 4096, end) < 4096)
			break;
	close(image);
	close(ballast);
}

static void heal(void)
{
	MUST(unlink(ballast_path));
}

static struct atomicio_file *open_handle(int flags, const struct atomicio_options *options)
{
	struct atomicio_file *file = NULL;

	fd = kernel_file(NAME, FILE_SIZE, flags);
	/* No cached page is in the way of a direct write. */
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(atomicio_open(fd, options, sizeof(*options), &file), 0);
	return file;
}

/* A buffered write, by somebody else, that is lost. */
static void lose_a_page(void)
{
	char path[32];
	int other;

	lose_page_0();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR);
	MUST(other);
	MUST(pwrite(other, page, PAGE, 0));
	/* `other` receives the error, too; and from here on the loss has happened. */
	CHECK_EQ(sync_file_range(other, 0, PAGE,
				 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					 SYNC_FILE_RANGE_WAIT_AFTER),
		 -1);
	CHECK_EQ(errno, ENOSPC);
	close(other);
}

/* Sync is told, for ever. */
static void sync_knows(struct atomicio_file *file, int first)
{
	CHECK_EQ(atomicio_sync(file), first);
	CHECK_EQ(atomicio_sync(file), -ENOTRECOVERABLE);
	atomicio_close(file);
	close(fd);
	heal();
}

/* A62 */
static void a_lost_page_fails_the_sync(void)
{
	const struct atomicio_options options = {.flags = 0};
	struct atomicio_file *file = open_handle(O_RDWR, &options);

	lose_a_page();
	sync_knows(file, -ENOSPC);
}

/* A62 */
static void an_fsync_of_the_caller_does_not_use_up_the_report(void)
{
	const struct atomicio_options options = {.flags = 0};
	struct atomicio_file *file = open_handle(O_RDWR, &options);

	lose_a_page();
	CHECK_EQ(fsync(fd), -1);
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(fsync(fd), 0);
	sync_knows(file, -ENOSPC);
}

/* A syncing write of another page receives the error, and reports it to the handle. */
static void told(struct atomicio_file *file, uint32_t flags)
{
	const int error = atomicio_write(file, page, PAGE, FAR, flags);

	CHECK(error == -ENOSPC || error == -EAGAIN); /* a page in the cache again */
	sync_knows(file, -ENOTRECOVERABLE);
}

/* A file that the kernel does not write untorn still has the plain path. */
static const struct atomicio_options plain = {.fallback = ATOMICIO_FALLBACK_PLAIN,
					      .flags = ATOMICIO_OPEN_REOPEN_DIRECT};

/* A62 */
static void a_durable_write_that_is_told_of_a_lost_page_poisons(void)
{
	struct atomicio_file *file = open_handle(O_RDWR, &plain);

	lose_a_page();
	told(file, ATOMICIO_DSYNC);
}

/* A63 */
static void a_write_to_a_file_with_s_sync_is_a_durable_one(void)
{
	struct atomicio_file *file = open_handle(O_RDWR, &plain);
	int flags = 0;

	lose_a_page();
	MUST(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_SYNC_FL;
	MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	told(file, 0);
}

/* A62 */
static void without_a_witness_the_next_sync_fails(void)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict,
						 .flags = ATOMICIO_OPEN_NO_WITNESS};
	struct atomicio_file *file = open_handle(O_RDWR | O_DIRECT, &options);
	int error = -EAGAIN;

	lose_a_page();
	/* The write uses up the only report, once no page of the setup is in its way. */
	for (int i = 0; i < 100 && error == -EAGAIN && !atomicio_check(file, page, PAGE, FAR);
	     i++) {
		MUST(-posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		error = atomicio_write(file, page, PAGE, FAR, ATOMICIO_DSYNC);
		usleep(10000);
	}
	CHECK(error == -ENOSPC || error == -EAGAIN);
	sync_knows(file, -ENOSPC);
}

/* As the manual says: whoever asks the description first is told, and nobody after. */
/* A62 */
static void without_a_witness_a_sync_of_the_caller_uses_up_the_report(void)
{
	const struct atomicio_options options = {.flags = ATOMICIO_OPEN_NO_WITNESS};
	struct atomicio_file *file;
	int other, failed = 0;

	for (int way = 0; way < 3; way++) {
		file = open_handle(O_RDWR, &options);
		other = dup(fd);
		MUST(other);
		lose_a_page();
		if (way == 0)
			failed = fsync(other);
		else if (way == 1)
			failed = fdatasync(other);
		else
			failed = sync_file_range(other, FAR, PAGE, SYNC_FILE_RANGE_WAIT_BEFORE);
		CHECK_EQ(failed, -1);
		CHECK_EQ(errno, ENOSPC);
		CHECK_EQ(atomicio_sync(file), 0);
		atomicio_close(file);
		close(other);
		close(fd);
		heal();
	}
}

/* A62 */
static void a_write_that_does_not_wait_leaves_the_report_to_the_sync(void)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict,
						 .flags = ATOMICIO_OPEN_REOPEN_DIRECT};
	struct atomicio_file *file = open_handle(O_RDWR, &options);
	int error;

	lose_a_page();
	error = atomicio_write(file, page, PAGE, FAR, ATOMICIO_DSYNC | ATOMICIO_NOWAIT);
	CHECK(error < 0 && error != -ENOTRECOVERABLE);
	sync_knows(file, -ENOSPC);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(a_lost_page_fails_the_sync),
		TEST(an_fsync_of_the_caller_does_not_use_up_the_report),
		TEST(a_durable_write_that_is_told_of_a_lost_page_poisons),
		TEST(a_write_to_a_file_with_s_sync_is_a_durable_one),
		TEST(without_a_witness_the_next_sync_fails),
		TEST(without_a_witness_a_sync_of_the_caller_uses_up_the_report),
		TEST(a_write_that_does_not_wait_leaves_the_report_to_the_sync),
	};

	if (argc != 4)
		return 2;
	image_path = argv[2];
	ballast_path = argv[3];
	page = kernel_memory(PAGE);
	memset(page, 0x5a, PAGE);
	return kernel_main(2, argv, tests, sizeof(tests) / sizeof(*tests));
}
