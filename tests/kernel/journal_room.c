/* SPDX-License-Identifier: MIT */
/*
 * Goal: a home or a journal without room, that may not grow or that hangs, gives the error before
 * any promise, and stops no other file of the journal.
 *
 * Method: a full filesystem, offsets that no file can have, a sealed memfd, a limit, and a frozen
 * second filesystem ($KERNEL_BESIDE).  Each time another file of the same journal goes on, and
 * after the trouble the first file too.
 */
#include "journal_test.h"

#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define PAGE (16 * KIB)
#define SIZE (512 * KIB)
#define HANG_US 2000000
#define FRAMES 12u /* fewer than the log area has beside the waiting frame */

static struct kernel_policy policy;

/* A journal, and one file of the journal that is always well. */
struct scene {
	int log, other_fd;
	struct atomicio_journal *journal;
	struct atomicio_file *other;
	uint32_t seed;
};

static struct atomicio_file *attach(struct scene *scene, int fd, uint64_t file_id)
{
	const struct atomicio_options options = {.policy = kernel_decide,
						 .policy_context = &policy,
						 .journal = scene->journal,
						 .file_id = file_id,
						 .path = ATOMICIO_PATH_JOURNAL};

	return kernel_open(fd, &options);
}

static struct scene begin(void)
{
	struct scene scene = {.log = journal_fresh("journal", SIZE),
			      .other_fd = kernel_file("other", 64 * KIB, O_RDWR),
			      .seed = 10};

	policy = (struct kernel_policy){.answer = ATOMICIO_FAIL};
	scene.journal = journal_start(scene.log);
	scene.other = attach(&scene, scene.other_fd, 7);
	return scene;
}

static void goes_on(struct scene *scene)
{
	scene->seed++;
	CHECK_EQ(kernel_write(scene->other, scene->seed, PAGE, 2 * PAGE, ATOMICIO_DSYNC), 0);
	CHECK(kernel_holds("other", 2 * PAGE, PAGE, scene->seed));
}

/* The files are good, and so are the journal's next life and all its frames. */
static void end(struct scene *scene, struct atomicio_file *file, int fd)
{
	struct journal_files files = {.fds = {[0] = fd, [6] = scene->other_fd}};

	goes_on(scene);
	if (file)
		CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_close(scene->other), 0);
	atomicio_journal_close(scene->journal);
	CHECK_EQ(journal_replay(scene->log, &files).pages_skipped, 0);
	close(scene->log);
	close(scene->other_fd);
	close(fd);
}

static int fill_up(void)
{
	const int fd = kernel_file("filler", 0, O_RDWR);
	off_t at = 0;

	for (off_t step = 64 * MIB; step >= 4096;)
		if (fallocate(fd, 0, at, step) == 0)
			at += step;
		else
			step /= 2;
	return fd;
}

static void refused(struct atomicio_file *file, uint64_t offset, int error)
{
	const uint32_t seen = policy.seen;

	CHECK_EQ(kernel_write(file, 3, PAGE, offset, ATOMICIO_DSYNC), error);
	CHECK_EQ(policy.seen, seen + 1);
	CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
}

static void a_full_disk_refuses_before_the_frame_and_stops_nobody(void)
{
	struct scene scene = begin();
	const int fd = kernel_file("grows", 0, O_RDWR), filler = fill_up();
	struct atomicio_file *file = attach(&scene, fd, 1);

	refused(file, 0, -ENOSPC);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_SPACE);
	CHECK_EQ(kernel_size("grows"), 0);
	goes_on(&scene);
	refused(file, PAGE, -ENOSPC);
	MUST(ftruncate(filler, 0));
	close(filler);
	CHECK_EQ(kernel_write(file, 4, PAGE, 0, ATOMICIO_DSYNC), 0);
	CHECK(kernel_holds("grows", 0, PAGE, 4));
	end(&scene, file, fd);
}

static void an_offset_that_no_file_has_is_refused_before_the_frame(void)
{
	struct scene scene = begin();
	const int fd = kernel_file("far", 64 * KIB, O_RDWR);
	struct atomicio_file *file = attach(&scene, fd, 1);

	refused(file, UINT64_C(1) << 45, -EFBIG);
	goes_on(&scene);
	CHECK_EQ(kernel_write(file, 5, PAGE, PAGE, ATOMICIO_DSYNC), 0);
	CHECK(kernel_holds("far", PAGE, PAGE, 5));
	CHECK_EQ(kernel_size("far"), 64 * KIB);
	end(&scene, file, fd);
}

static void a_memfd_that_may_not_grow_is_refused_before_the_frame(void)
{
	struct scene scene = begin();
	const int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct atomicio_file *file;

	MUST(ftruncate(fd, 4 * PAGE));
	file = attach(&scene, fd, 1);
	CHECK_EQ(kernel_write(file, 6, PAGE, 0, ATOMICIO_DSYNC), 0);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW)); /* at any time */
	refused(file, 4 * PAGE, -EPERM);
	goes_on(&scene);
	CHECK_EQ(kernel_write(file, 7, PAGE, 0, ATOMICIO_DSYNC), 0);
	end(&scene, file, fd);
}

static void limit_files_to(rlim_t size)
{
	struct rlimit limit;

	MUST(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = size;
	MUST(setrlimit(RLIMIT_FSIZE, &limit));
}

/* SIGXFSZ, which is not ignored here, would end the program. */
static void a_limit_below_the_journal_ends_nobody(void)
{
	const struct atomicio_journal_options options = {.size = SIZE};
	struct scene scene = begin();
	const int fd = kernel_file("new", 0, O_RDWR);
	int error;

	limit_files_to(64 * KIB);
	error = atomicio_journal_create(fd, &options, sizeof(options));
	if (!error)
		error = kernel_write(scene.other, 8, PAGE, 0, ATOMICIO_DSYNC);
	for (int i = 0; i < 8 && (error == -EFBIG || !error); i++)
		error = kernel_write(scene.other, 8, PAGE, 0, ATOMICIO_DSYNC);
	limit_files_to(RLIM_INFINITY);
	CHECK_EQ(error, -EFBIG);
	CHECK_EQ(kernel_size("new"), 0);
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), 0);
	end(&scene, NULL, fd);
}

static void *write_to_the_frozen_one(void *context)
{
	return (void *)(intptr_t)kernel_write(context, 9, PAGE, 0, ATOMICIO_DSYNC);
}

/* If all writers wait for the frozen file, a timer thaws the file, and the test fails. */
static void *thaw_in_time(void *context)
{
	usleep(HANG_US);
	(void)ioctl((int)(intptr_t)context, FITHAW, 0);
	return NULL;
}

static void a_home_that_hangs_stops_no_other(void)
{
	const char *beside = getenv("KERNEL_BESIDE");
	struct scene scene = begin();
	struct atomicio_file *file;
	pthread_t thread, rescuer;
	void *error = NULL;
	uint32_t done = 0;
	char path[4096];
	int fd, directory;
	bool hung = false;

	CHECK(beside);
	snprintf(path, sizeof(path), "%s/hangs", beside);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	directory = open(beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd);
	for (uint32_t i = 0; i < 4; i++)
		MUST(pwrite(fd, path, sizeof(path), (off_t)(i * sizeof(path))));
	MUST(fsync(fd));
	file = attach(&scene, fd, 1);
	CHECK_EQ(pthread_create(&rescuer, NULL, thaw_in_time, (void *)(intptr_t)directory), 0);
	MUST(ioctl(directory, FIFREEZE, 0));
	if (pthread_create(&thread, NULL, write_to_the_frozen_one, file) == 0) {
		usleep(HANG_US / 10); /* now the writer waits in its home write */
		while (done < FRAMES && !kernel_write(scene.other, 20, PAGE, 0, ATOMICIO_DSYNC))
			done++;
		hung = pthread_tryjoin_np(thread, &error) == EBUSY;
	}
	(void)ioctl(directory, FITHAW, 0);
	if (hung)
		pthread_join(thread, &error);
	pthread_join(rescuer, NULL);
	CHECK_EQ(done, FRAMES);
	CHECK(hung); /* all the time */
	CHECK(!error);
	close(directory);
	end(&scene, file, fd);
}

static void write_and_die(void *context)
{
	struct scene scene = {.log = *(int *)context, .seed = 40};

	scene.other_fd = kernel_file("other", 64 * KIB, O_RDWR);
	scene.journal = journal_start(scene.log);
	scene.other = attach(&scene, scene.other_fd, 7);
	goes_on(&scene);
}

/* K3: open writes nothing that has to be allocated; live frames are recovered once room is free.
 */
static void a_journal_on_a_full_disk_opens(void)
{
	struct journal_files files = {.fds = {0}};
	const char *copy = getenv("KERNEL_COPY"); /* a command that makes "journal" copy on write */
	int fd = journal_fresh("journal", SIZE), filler;
	struct atomicio_journal *journal;

	policy = (struct kernel_policy){.answer = ATOMICIO_FAIL};
	journal_in_a_child(write_and_die, &fd);
	close(fd);
	CHECK(!copy || system(copy) == 0);
	fd = kernel_file("filler", 0, O_RDWR);
	close(fd);
	filler = fill_up();
	{
		char path[4096];

		snprintf(path, sizeof(path), "%s/journal", kernel_directory);
		fd = open(path, O_RDWR | O_CLOEXEC);
		MUST(fd);
		snprintf(path, sizeof(path), "%s/other", kernel_directory);
		files.fds[6] = open(path, O_RDWR | O_CLOEXEC);
		MUST(files.fds[6]);
	}
	journal = journal_start(fd);
	CHECK_EQ(journal_look(journal).live_frames, 1);
	atomicio_journal_close(journal);
	MUST(ftruncate(filler, 0));
	close(filler);
	MUST(syncfs(fd)); /* btrfs gives the room back with its transaction */
	CHECK_EQ(journal_replay(fd, &files).frames, 1);
	CHECK(kernel_holds("other", 2 * PAGE, PAGE, 41));
	close(files.fds[6]);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(a_full_disk_refuses_before_the_frame_and_stops_nobody),
		TEST(an_offset_that_no_file_has_is_refused_before_the_frame),
		TEST(a_memfd_that_may_not_grow_is_refused_before_the_frame),
		TEST(a_limit_below_the_journal_ends_nobody),
		TEST(a_home_that_hangs_stops_no_other),
		TEST(a_journal_on_a_full_disk_opens),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
