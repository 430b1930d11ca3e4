/* SPDX-License-Identifier: MIT */
/*
 * Goal: whenever a program, its filesystem or its machine dies, recovery makes every page and
 * every group whole again, and loses no acknowledged write.
 *
 * Method: a child writes (journal_load.h) and is stopped at a random moment, in one of three ways.
 * The files are recovered and checked (journal_verify.h), and a new child starts on them:
 *
 *	kill DIRECTORY SEED ROUNDS			SIGKILL
 *	shutdown DIRECTORY SEED ROUNDS DEVICE TYPE	the filesystem is shut down without
 *							writing its log, and mounted again
 *	image DIRECTORY SEED ROUNDS IMAGE COPY DEVICE TYPE WHERE
 *		the image below the filesystem is cloned while the child writes; the clone, COPY,
 *		which is DEVICE, is mounted at WHERE, and recovered there
 *
 * The moments depend on the machine; all else depends on the seed.  Pages left behind
 * (ATOMICIO_BEHIND) are on their way home, and still arrive after a kill or a shutdown; an image
 * has some of them in the journal alone.  On the disk of killed.sh none arrives.
 */
#include "journal_verify.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <linux/fs.h>

/* The same number on both: fs/xfs/libxfs/xfs_fs.h, fs/ext4/ext4.h. */
#define GOINGDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2u

static const char *mode, *device, *type, *image, *copy, *where;
static uint64_t seed;
static uint32_t rounds;

static struct load_notes *new_notes(void)
{
	void *notes = mmap(NULL, sizeof(struct load_notes), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(notes != MAP_FAILED);
	return notes;
}

static bool is_mixed(void)
{
	const int fd = kernel_file("probe", 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_caps caps;

	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	close(fd);
	return caps.direct.unit_max >= 16 * KIB;
}

static pid_t start_writing(struct load_notes *notes, uint64_t load_seed, bool mixed)
{
	const pid_t child = fork();

	MUST(child);
	if (child == 0) {
		if (!setjmp(kernel_failed))
			load_run(kernel_directory, notes, load_seed, mixed);
		else
			atomic_store(&notes->error, -EBADE);
		fflush(stdout);
		_exit(0);
	}
	/* Let it get under way. */
	for (int i = 0; i < 5000 && atomic_load(&notes->written) < 5; i++)
		usleep(1000);
	return child;
}

static void stop_writing(pid_t child)
{
	int status;

	kill(child, SIGKILL);
	MUST(waitpid(child, &status, 0));
}

static void report(const struct load_result *result, uint64_t written)
{
	printf("# seed %" PRIu64 ": %" PRIu64 " rounds, %" PRIu64 " writes acknowledged, %" PRIu64
	       " frames replayed; recovery repaired %" PRIu64 " torn pages and %" PRIu64
	       " half groups, and brought %" PRIu64 " pages left behind home; %" PRIu64
	       " torn tails, %" PRIu64 " recoveries killed\n",
	       seed, result->rounds, written, result->frames, result->torn_before,
	       result->split_before, result->old_before, result->torn_tails,
	       result->killed_recoveries);
}

static void check_round(const char *directory, const struct load_notes *notes, uint64_t random,
			bool kill_it, struct load_result *result)
{
	load_check(directory, notes, true, result);
	load_recover(directory, random, kill_it, result);
	if (!load_check(directory, notes, false, result))
		printf("# in round %" PRIu64 " of: journal_crash %s %s %" PRIu64 " %u\n",
		       result->rounds, mode, kernel_directory, seed, rounds);
	CHECK(load_check(directory, notes, false, result));
	result->rounds++;
}

static void killed_writers_leave_nothing_torn_and_lose_nothing(void)
{
	struct load_notes *notes = new_notes();
	struct load_result result = {.rounds = 0};
	uint64_t random = seed, written = 0;
	bool mixed;

	load_make(kernel_directory, notes);
	mixed = is_mixed();
	for (uint32_t i = 0; i < rounds; i++) {
		const pid_t child = start_writing(notes, load_random(&random), mixed);

		usleep((useconds_t)(load_random(&random) % 12000));
		stop_writing(child);
		CHECK_EQ(notes->error, 0);
		written += notes->written;
		check_round(kernel_directory, notes, load_random(&random),
			    load_random(&random) % 3 == 0, &result);
		load_move_on(kernel_directory, notes);
	}
	report(&result, written);
	CHECK(result.frames > 0);
}

/* XFS mounts a copy only with an option. */
static void mount_at(const char *directory)
{
	MUST(mount(device, directory, type, 0, strcmp(type, "xfs") ? NULL : "nouuid"));
}

/*
 * Mount again what was shut down.  A process of another mount namespace may have been born with a
 * copy of the mount: while it lives the old superblock does too, and would be mounted again.
 */
static void mount_afresh(const char *directory)
{
	int fd = -1;

	for (int i = 0; i < 200; i++) {
		MUST(umount2(directory, 0));
		mount_at(directory);
		fd = open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
		if (fd >= 0) {
			close(fd);
			return;
		}
		usleep(50000);
	}
	printf("# the filesystem is still shut down: a process elsewhere holds it\n");
	CHECK(fd >= 0);
}

static void a_filesystem_that_is_shut_down_loses_nothing(void)
{
	struct load_notes *notes = new_notes();
	struct load_result result = {.rounds = 0};
	uint64_t random = seed, written = 0;
	bool mixed;

	load_make(kernel_directory, notes);
	mixed = is_mixed();
	for (uint32_t i = 0; i < rounds; i++) {
		const pid_t child = start_writing(notes, load_random(&random), mixed);
		const int root = open(kernel_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		uint32_t how = NO_LOG_FLUSH;

		MUST(root);
		usleep((useconds_t)(load_random(&random) % 20000));
		atomic_store(&notes->dying, true);
		MUST(ioctl(root, GOINGDOWN, &how));
		close(root);
		usleep(2000);
		stop_writing(child);
		CHECK_EQ(notes->error, 0);
		written += notes->written;
		mount_afresh(kernel_directory);
		check_round(kernel_directory, notes, load_random(&random), false, &result);
		load_move_on(kernel_directory, notes);
	}
	report(&result, written);
	CHECK(result.frames > 0);
}

static void clone_image(void)
{
	const int from = open(image, O_RDONLY | O_CLOEXEC), to = open(copy, O_RDWR | O_CLOEXEC);

	MUST(from);
	MUST(to);
	MUST(ioctl(to, FICLONE, from));
	close(from);
	close(to);
}

static void an_image_of_any_moment_can_be_recovered(void)
{
	struct load_notes *notes = new_notes(), *then = new_notes();
	struct load_result result = {.rounds = 0};
	uint64_t random = seed;
	pid_t child;

	load_make(kernel_directory, notes);
	child = start_writing(notes, load_random(&random), is_mixed());
	for (uint32_t i = 0; i < rounds; i++) {
		usleep((useconds_t)(load_random(&random) % 40000));
		/* A page acknowledged before the clone is there, a page tried after is not. */
		memcpy(then, notes, sizeof(*then));
		clone_image();
		memcpy(then->tried, notes->tried, sizeof(then->tried));
		mount_at(where);
		check_round(where, then, load_random(&random), false, &result);
		MUST(umount2(where, 0));
	}
	stop_writing(child);
	CHECK_EQ(notes->error, 0);
	check_round(kernel_directory, notes, load_random(&random), false, &result);
	report(&result, notes->written);
	CHECK(result.frames > 0);
}

int main(int argc, char **argv)
{
	static const struct kernel_test killing[] = {
		TEST(killed_writers_leave_nothing_torn_and_lose_nothing)};
	static const struct kernel_test shutting_down[] = {
		TEST(a_filesystem_that_is_shut_down_loses_nothing)};
	static const struct kernel_test imaging[] = {TEST(an_image_of_any_moment_can_be_recovered)};
	char *arguments[3] = {argv[0], argc > 2 ? argv[2] : NULL, NULL};

	if (argc < 5) {
		fprintf(stderr, "usage: see the head of tests/kernel/journal_crash.c\n");
		return 2;
	}
	mode = argv[1];
	seed = strtoull(argv[3], NULL, 0);
	rounds = (uint32_t)strtoul(argv[4], NULL, 0);
	if (!strcmp(mode, "kill"))
		return kernel_main(2, arguments, killing, 1);
	if (!strcmp(mode, "shutdown") && argc == 7) {
		device = argv[5], type = argv[6];
		return kernel_main(2, arguments, shutting_down, 1);
	}
	if (!strcmp(mode, "image") && argc == 10) {
		image = argv[5], copy = argv[6], device = argv[7], type = argv[8], where = argv[9];
		return kernel_main(2, arguments, imaging, 1);
	}
	return 2;
}
