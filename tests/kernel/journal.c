/* SPDX-License-Identifier: MIT */
/*
 * Goal: with a journal any file on this filesystem accepts untorn writes.  A file that the journal
 * cannot serve is refused with a clear error, and nothing changes.
 *
 * Method: real files.  A child writes and kills itself: the frames stay live.  Between the death
 * and the recovery the homes are damaged on purpose: bytes found afterwards come from the frames.
 */
#include "journal_test.h"

#define JOURNAL "journal"
#define PAGE (16 * KIB)

struct scene {
	struct journal_files files;
	int journal_fd;
	uint32_t path; /* of the file written by the child */
};

/* Overwrite a range as a torn home write would leave it. */
static void damage(int fd, uint64_t offset, size_t length)
{
	uint8_t *bytes = kernel_memory(length);

	memset(bytes, 0xEE, length);
	CHECK_EQ(pwrite(fd, bytes, length, (off_t)offset), length);
	free(bytes);
}

static int direct(const char *name, size_t size)
{
	return kernel_file(name, size, O_RDWR | O_DIRECT);
}

static void write_one_of_each(void *context)
{
	struct scene *scene = context;
	struct atomicio_journal *journal = journal_start(scene->journal_fd);
	struct atomicio_file *one = journal_attached(journal, scene->files.fds[0], 1, 0);
	struct atomicio_file *two =
		journal_attached(journal, scene->files.fds[1], 2, ATOMICIO_PATH_JOURNAL);

	CHECK_EQ(kernel_write(one, 7, PAGE, PAGE, ATOMICIO_DSYNC), 0);
	CHECK_EQ(kernel_write(one, 8, PAGE, 2 * PAGE, 0), 0);
	CHECK_EQ(kernel_write(one, 9, PAGE, PAGE, ATOMICIO_DSYNC), 0);
	/* Through the page cache no shape is too odd. */
	CHECK_EQ(kernel_write(two, 7, 10000, 4321, 0), 0);
	CHECK_EQ(kernel_stats(one).writes_journal, 3);
	CHECK_EQ(kernel_stats(two).writes_journal, 1);
}

static void direct_and_buffered_homes_are_recovered(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};
	struct atomicio_recovery done;

	scene.files.fds[0] = direct("one", 4 * PAGE);
	scene.files.fds[1] = kernel_file("two", 4 * PAGE, O_RDWR | journal_append());
	journal_in_a_child(write_one_of_each, &scene);
	damage(scene.files.fds[0], PAGE, PAGE);
	fcntl(scene.files.fds[1], F_SETFL, 0);
	damage(scene.files.fds[1], 4321, 10000);
	fcntl(scene.files.fds[1], F_SETFL, journal_append());
	done = journal_replay(scene.journal_fd, &scene.files);
	CHECK_EQ(done.frames, 4);
	CHECK_EQ(done.pages, 4);
	CHECK_EQ(done.files, 2);
	CHECK_EQ(done.bytes, 3 * PAGE + 10000);
	CHECK(kernel_holds("one", 0, PAGE, 1));
	CHECK(kernel_holds("one", PAGE, PAGE, 9));
	CHECK(kernel_holds("one", 2 * PAGE, PAGE, 8));
	CHECK(kernel_holds("two", 0, 4321, 1));
	CHECK(kernel_holds("two", 4321, 10000, 7));
	CHECK(kernel_holds("two", 14321, 4 * PAGE - 14321, 1));
	CHECK_EQ(kernel_size("two"), 4 * PAGE);
	CHECK_EQ(journal_replay(scene.journal_fd, &scene.files).frames, 0);
	close(scene.files.fds[0]);
	close(scene.files.fds[1]);
	close(scene.journal_fd);
}

/* The child of the next test: groups over two files, and a batch that is no group. */
static void write_batches(void *context)
{
	struct scene *scene = context;
	struct atomicio_journal *journal = journal_start(scene->journal_fd);
	struct atomicio_file *files[2] = {
		journal_attached(journal, scene->files.fds[0], 1, ATOMICIO_PATH_JOURNAL),
		journal_attached(journal, scene->files.fds[1], 2, ATOMICIO_PATH_JOURNAL)};
	struct atomicio_op ops[8] = {{.file = NULL}};
	uint8_t *bytes = kernel_memory(8 * PAGE);
	uint64_t flushes;

	for (uint32_t i = 0; i < 8; i++) {
		ops[i] = (struct atomicio_op){.file = files[i % 2],
					      .buffer = bytes + i * PAGE,
					      .offset = i / 2 * PAGE,
					      .length = PAGE};
		kernel_fill(bytes + i * PAGE, PAGE, ops[i].offset, 20 + i);
	}
	flushes = journal_look(journal).flushes;
	CHECK_EQ(atomicio_write_batch(NULL, ops, 8, ATOMICIO_ALL_OR_NONE), 0);
	CHECK_EQ(journal_look(journal).frames, 1);
	for (uint32_t i = 0; i < 4; i++)
		kernel_fill(bytes + i * PAGE, PAGE, ops[i].offset, 40 + i);
	CHECK_EQ(atomicio_write_batch(NULL, ops, 4, ATOMICIO_DSYNC), 0);
	CHECK_EQ(journal_look(journal).frames, 2);
	/* One sync per frame, and before the first frame the two headers without CLEAN. */
	CHECK_EQ(journal_look(journal).flushes - flushes, 2 + 2);
}

static void batches_over_two_files_are_recovered(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};

	scene.files.fds[0] = direct("one", 4 * PAGE);
	scene.files.fds[1] = kernel_file("two", 4 * PAGE, O_RDWR);
	journal_in_a_child(write_batches, &scene);
	damage(scene.files.fds[0], 0, 4 * PAGE);
	damage(scene.files.fds[1], 0, 4 * PAGE);
	CHECK_EQ(journal_replay(scene.journal_fd, &scene.files).pages, 12);
	for (uint32_t i = 0; i < 8; i++)
		CHECK(kernel_holds(i % 2 ? "two" : "one", i / 2 * PAGE, PAGE,
				   (i < 4 ? 40 : 20) + i));
	close(scene.files.fds[0]);
	close(scene.files.fds[1]);
	close(scene.journal_fd);
}

static void a_group_that_fits_no_frame_is_refused_whole(void)
{
	const int fd = journal_fresh(JOURNAL, 128 * KIB), home = direct("one", 16 * PAGE);
	struct atomicio_journal *journal = journal_start(fd);
	struct atomicio_file *file = journal_attached(journal, home, 1, ATOMICIO_PATH_JOURNAL);
	struct atomicio_op ops[4] = {{.file = NULL}};
	uint8_t *bytes = kernel_memory(64 * KIB);

	for (uint32_t i = 0; i < 4; i++)
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = bytes,
					      .offset = i * PAGE,
					      .length = PAGE,
					      .result = 77};
	CHECK_EQ(atomicio_write_batch(NULL, ops, 4, ATOMICIO_ALL_OR_NONE), -EMSGSIZE);
	CHECK_EQ(ops[0].result, 77);
	/* A page that no frame can hold. */
	CHECK_EQ(atomicio_write(file, bytes, 64 * KIB, 0, 0), -EMSGSIZE);
	CHECK_EQ(journal_look(journal).frames, 0);
	CHECK(kernel_holds("one", 0, 16 * PAGE, 1));
	/* Not a group: each page finds a frame. */
	CHECK_EQ(atomicio_write_batch(NULL, ops, 4, 0), 0);
	CHECK_EQ(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	close(home);
	close(fd);
	free(bytes);
}

static void write_past_the_journal(void *context)
{
	struct scene *scene = context;
	struct atomicio_journal *journal = journal_start(scene->journal_fd);
	const struct atomicio_options plain = {.policy = atomicio_policy_default,
					       .journal = journal,
					       .file_id = 1,
					       .path = ATOMICIO_PATH_KERNEL,
					       .fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *by_journal =
		journal_attached(journal, scene->files.fds[0], 1, ATOMICIO_PATH_JOURNAL);
	struct atomicio_file *past = kernel_open(scene->files.fds[0], &plain);

	CHECK_EQ(kernel_write(by_journal, 5, PAGE, 0, 0), 0);
	CHECK_EQ(kernel_write(by_journal, 5, PAGE, 8 * PAGE, 0), 0);
	CHECK_EQ(kernel_write(past, 6, PAGE, 0, ATOMICIO_DSYNC), 0);
	CHECK_EQ(kernel_stats(past).writes_journal, 0);
	CHECK_EQ(journal_look(journal).checkpoints, 1);
	/* A live frame elsewhere in the file is no reason to wait. */
	CHECK_EQ(kernel_write(by_journal, 7, PAGE, 12 * PAGE, 0), 0);
	CHECK_EQ(kernel_write(past, 8, PAGE, PAGE, ATOMICIO_DSYNC), 0);
	CHECK_EQ(journal_look(journal).checkpoints, 1);
}

/* J3, on the path RWF_ATOMIC where the filesystem has it and on a plain write elsewhere. */
static void a_write_past_the_journal_is_not_undone_by_recovery(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};

	scene.files.fds[0] = direct("one", 16 * PAGE);
	journal_in_a_child(write_past_the_journal, &scene);
	CHECK_EQ(journal_replay(scene.journal_fd, &scene.files).frames, 1);
	CHECK(kernel_holds("one", 0, PAGE, 6));
	CHECK(kernel_holds("one", PAGE, PAGE, 8));
	CHECK(kernel_holds("one", 8 * PAGE, PAGE, 5));
	CHECK(kernel_holds("one", 12 * PAGE, PAGE, 7));
	close(scene.files.fds[0]);
	close(scene.journal_fd);
}

static void write_forget_truncate(void *context)
{
	struct scene *scene = context;
	struct atomicio_journal *journal = journal_start(scene->journal_fd);
	struct atomicio_file *file = journal_attached(journal, scene->files.fds[0], 1, 0);

	CHECK_EQ(kernel_write(file, 5, PAGE, PAGE, 0), 0);
	CHECK_EQ(atomicio_journal_forget(journal, 1), 0);
	MUST(ftruncate(scene->files.fds[0], PAGE));
	CHECK_EQ(kernel_write(file, 6, PAGE, 0, 0), 0);
}

static void nothing_of_a_forgotten_file_is_replayed(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};

	scene.files.fds[0] = direct("one", 4 * PAGE);
	journal_in_a_child(write_forget_truncate, &scene);
	CHECK_EQ(journal_replay(scene.journal_fd, &scene.files).pages, 1);
	CHECK_EQ(kernel_size("one"), PAGE);
	CHECK(kernel_holds("one", 0, PAGE, 6));
	close(scene.files.fds[0]);
	close(scene.journal_fd);
}

static void pages_of_a_file_that_is_gone_are_skipped_and_counted(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};
	struct atomicio_recovery done;
	int gone;

	scene.files.fds[0] = direct("one", 4 * PAGE);
	gone = scene.files.fds[1] = kernel_file("two", 4 * PAGE, O_RDWR);
	journal_in_a_child(write_one_of_each, &scene);
	scene.files.fds[1] = 0;
	done = journal_replay(scene.journal_fd, &scene.files);
	CHECK_EQ(done.files, 1);
	CHECK_EQ(done.files_gone, 1);
	CHECK_EQ(done.pages, 3);
	CHECK_EQ(done.pages_skipped, 1);
	close(gone);
	close(scene.files.fds[0]);
	close(scene.journal_fd);
}

static void writes_wait_for_recovery(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};
	struct atomicio_journal *journal;
	struct atomicio_recovery done;
	struct atomicio_file *file;
	int two;

	scene.files.fds[0] = direct("one", 4 * PAGE);
	scene.files.fds[1] = two = kernel_file("two", 4 * PAGE, O_RDWR);
	journal_in_a_child(write_one_of_each, &scene);
	journal = journal_start(scene.journal_fd);
	CHECK_EQ(journal_look(journal).state, ATOMICIO_JOURNAL_UNCLEAN);
	file = journal_attached(journal, scene.files.fds[0], 1, ATOMICIO_PATH_JOURNAL);
	CHECK_EQ(kernel_write(file, 99, PAGE, 0, 0), -EUCLEAN);
	CHECK_EQ(atomicio_journal_checkpoint(journal), -EUCLEAN);
	CHECK_EQ(atomicio_journal_forget(journal, 1), -EUCLEAN);
	CHECK_EQ(atomicio_journal_recover(journal, journal_find, &scene.files, NULL, 0, &done,
					  sizeof(done)),
		 -EBUSY);
	CHECK(kernel_holds("one", 0, PAGE, 1));
	atomicio_close(file);
	/* A file that cannot be opened keeps its frames for the next recovery. */
	scene.files.fds[1] = 0x7FFFFFFF;
	CHECK_EQ(atomicio_journal_recover(journal, journal_find, &scene.files, NULL, 0, &done,
					  sizeof(done)),
		 -EBADF);
	CHECK_EQ(journal_look(journal).live_frames, 4);
	scene.files.fds[1] = two;
	CHECK_EQ(atomicio_journal_recover(journal, journal_find, &scene.files, NULL, 0, &done,
					  sizeof(done)),
		 0);
	CHECK_EQ(done.frames, 4);
	file = journal_attached(journal, scene.files.fds[0], 1, ATOMICIO_PATH_JOURNAL);
	CHECK_EQ(kernel_write(file, 99, PAGE, 0, 0), 0);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK(kernel_holds("one", 0, PAGE, 99));
	atomicio_journal_close(journal);
	close(scene.files.fds[0]);
	close(scene.files.fds[1]);
	close(scene.journal_fd);
}

/*
 * The descriptor for recovery may have O_APPEND although the writer's had none.  Recovery writes
 * through a description of its own, without the flag.
 */
static void recovery_through_append_stays_in_place(void)
{
	struct scene scene = {.journal_fd = journal_fresh(JOURNAL, MIB)};
	struct atomicio_journal *journal;

	scene.files.fds[0] = direct("one", 4 * PAGE);
	scene.files.fds[1] = kernel_file("two", 4 * PAGE, O_RDWR);
	journal_in_a_child(write_one_of_each, &scene);
	damage(scene.files.fds[1], 4321, 10000);
	fcntl(scene.files.fds[1], F_SETFL, O_APPEND);
	journal = journal_start(scene.journal_fd);
	CHECK_EQ(atomicio_journal_recover(journal, journal_find, &scene.files, NULL, 0, NULL, 0),
		 0);
	CHECK_EQ(kernel_size("two"), 4 * PAGE);
	CHECK_EQ(journal_look(journal).live_frames, 0);
	CHECK(kernel_holds("two", 4321, 10000, 7));
	atomicio_journal_close(journal);
	close(scene.files.fds[0]);
	close(scene.files.fds[1]);
	close(scene.journal_fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(direct_and_buffered_homes_are_recovered),
		TEST(batches_over_two_files_are_recovered),
		TEST(a_group_that_fits_no_frame_is_refused_whole),
		TEST(a_write_past_the_journal_is_not_undone_by_recovery),
		TEST(nothing_of_a_forgotten_file_is_replayed),
		TEST(pages_of_a_file_that_is_gone_are_skipped_and_counted),
		TEST(writes_wait_for_recovery),
		TEST(recovery_through_append_stays_in_place),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
