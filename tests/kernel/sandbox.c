/* SPDX-License-Identifier: MIT */
/*
 * Goal: a sandbox refuses one system call, with any errno.  The library uses another call, or names
 * the missing call, and never fails where another call would do.
 *
 * Method: each row of a table is a process of its own with a seccomp filter for one call and errno,
 * set up before or after the open of the files.  The process probes, writes, and writes through a
 * journal.
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "libatomicio/journal.h"
#include "libatomicio/uring.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#define FS_IOC_GETFSUUID_NUMBER                                                                    \
	_IOR(                                                                                      \
		0x15, 0, struct { uint8_t bytes[17]; })

#define NAME "sandbox"
#define JOURNAL "sandbox.journal"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int errnos[] = {EPERM, ENOSYS, EACCES, EOPNOTSUPP};

/* Refuse one call, by number and, where not 0, by its second argument. */
static void refuse(uint32_t number, uint32_t argument, int error)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JA, argument ? 1 : 0, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = COUNT(filter),
					   .filter = (struct sock_filter *)(uintptr_t)filter};

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* Run a part of a test in a process that may be refused things. */
static void in_a_sandbox(void (*part)(uint32_t number, uint32_t argument, int error),
			 uint32_t number, uint32_t argument, int error)
{
	int status;
	const pid_t child = fork();

	MUST(child);
	if (child == 0) {
		if (!setjmp(kernel_failed)) {
			part(number, argument, error);
			_exit(0);
		}
		printf("# call %u, errno %d\n", number, error);
		_exit(1);
	}
	MUST(waitpid(child, &status, 0));
	CHECK_EQ(status, 0);
}

static int journal_file(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, JOURNAL);
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd);
	return fd;
}

static struct atomicio_journal *make_journal(int fd)
{
	const struct atomicio_journal_options layout = {.size = 1u << 20};
	struct atomicio_journal *journal = NULL;

	CHECK_EQ(atomicio_journal_create(fd, &layout, sizeof(layout)), 0);
	CHECK_EQ(atomicio_journal_open(fd, NULL, 0, &journal), 0);
	return journal;
}

/* A group with its homes together, or one by one. */
static int write_group(struct atomicio_file *file)
{
	static unsigned char pages[3][4 * KIB] __attribute__((aligned(4096)));
	struct atomicio_op ops[3];

	for (size_t i = 0; i < COUNT(ops); i++) {
		kernel_fill(pages[i], sizeof(pages[i]), (4 - i) * 8 * KIB, 4);
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = pages[i],
					      .length = sizeof(pages[i]),
					      .offset = (4 - i) * 8 * KIB};
	}
	return atomicio_write_batch(NULL, ops, COUNT(ops), ATOMICIO_ALL_OR_NONE);
}

/* Everything, with the filter there from the start or only after the opens. */
static void all_of_it(uint32_t number, uint32_t argument, int error, bool late)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	const int journal_fd = journal_file();
	struct atomicio_options options = {.file_id = 1};
	struct atomicio_file *file;

	if (!late)
		refuse(number, argument, error);
	options.journal = make_journal(journal_fd);
	file = kernel_open(fd, &options);
	if (late)
		refuse(number, argument, error);
	/* Durable and not, by AUTO (the journal, as XFS has no hardware here), and a sync. */
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 16 * KIB, ATOMICIO_DSYNC), 0);
	CHECK_EQ(kernel_write(file, 3, 4 * KIB, 32 * KIB, 0), 0);
	CHECK_EQ(atomicio_sync(file), 0);
	CHECK(kernel_holds(NAME, 16 * KIB, 16 * KIB, 2));
	CHECK(kernel_holds(NAME, 32 * KIB, 4 * KIB, 3));
	CHECK_EQ(write_group(file), 0);
	for (size_t i = 0; i < 3; i++)
		CHECK(kernel_holds(NAME, (4 - i) * 8 * KIB, 4 * KIB, 4));
	CHECK_EQ(atomicio_journal_checkpoint(options.journal), 0);
	CHECK_EQ(atomicio_close(file), 0);
	atomicio_journal_close(options.journal);
	CHECK_EQ(atomicio_journal_open(journal_fd, NULL, 0, &options.journal), 0);
	atomicio_journal_close(options.journal);
}

static void all_of_it_early(uint32_t number, uint32_t argument, int error)
{
	all_of_it(number, argument, error, false);
}

static void all_of_it_late(uint32_t number, uint32_t argument, int error)
{
	all_of_it(number, argument, error, true);
}

static const struct {
	uint32_t number, argument;
} dispensable[] = {
	{SYS_statx, 0},
	{SYS_pwritev2, 0},
	{SYS_cachestat, 0},
	{SYS_fstatfs, 0},
	{SYS_uname, 0},
	{SYS_getrandom, 0},
	{SYS_sync_file_range, 0},
	{SYS_fadvise64, 0},
	{SYS_io_uring_setup, 0},
	{SYS_io_setup, 0},
	{SYS_io_submit, 0},
	{SYS_io_getevents, 0},
	{SYS_io_destroy, 0},
	{SYS_ioctl, FS_IOC_GETFLAGS},
	{SYS_ioctl, FS_IOC_GETFSUUID_NUMBER},
};

static void a_refused_call_is_stood_in_for_or_not_needed(void)
{
	for (size_t i = 0; i < COUNT(dispensable); i++)
		for (size_t j = 0; j < COUNT(errnos); j++)
			in_a_sandbox(all_of_it_early, dispensable[i].number,
				     dispensable[i].argument, errnos[j]);
}

static void a_call_refused_after_the_open_is_stood_in_for_as_well(void)
{
	for (size_t i = 0; i < COUNT(dispensable); i++)
		in_a_sandbox(all_of_it_late, dispensable[i].number, dispensable[i].argument, EPERM);
}

static void probe_without_statx(uint32_t number, uint32_t argument, int error)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_caps caps;

	refuse(number, argument, error);
	CHECK_EQ(atomicio_probe(fd, &caps, sizeof(caps)), 0);
	CHECK_EQ(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
	CHECK(caps.reasons & ATOMICIO_REASON_STATX_REFUSED);
	CHECK(!(caps.evidence & ATOMICIO_EVIDENCE_STATX));
	CHECK_EQ(caps.file_mode, S_IFREG);
	CHECK(!strcmp(caps.filesystem_type, "xfs"));
}

static void a_probe_without_statx_says_so(void)
{
	for (size_t j = 0; j < COUNT(errnos); j++)
		in_a_sandbox(probe_without_statx, SYS_statx, 0, errnos[j]);
}

static void plain_without_pwritev2(uint32_t number, uint32_t argument, int error)
{
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file;
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR);

	refuse(number, argument, error);
	file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	/* EOPNOTSUPP is an answer, of a file that cannot. */
	CHECK(error == EOPNOTSUPP || kernel_caps(file).reasons & ATOMICIO_REASON_UNCONFIRMED);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 16 * KIB, ATOMICIO_DSYNC), 0);
	CHECK(kernel_holds(NAME, 16 * KIB, 16 * KIB, 2));
	CHECK_EQ(kernel_stats(file).writes_plain, 1);
	/* A fallback blocks. */
	CHECK_EQ(kernel_write(file, 3, 16 * KIB, 32 * KIB, ATOMICIO_NOWAIT), 0);
	CHECK(kernel_holds(NAME, 32 * KIB, 16 * KIB, 3));
	/* Beyond the abilities of pwrite. */
	MUST(fcntl(fd, F_SETFL, O_APPEND));
	CHECK_EQ(kernel_write(file, 3, 16 * KIB, 0, 0), -EOPNOTSUPP);
	CHECK(kernel_holds(NAME, 0, 16 * KIB, 1));
	CHECK_EQ(kernel_size(NAME), 64 * KIB);
	CHECK_EQ(atomicio_close(file), 0);
}

static void plain_goes_by_pwrite_where_pwritev2_is_refused(void)
{
	for (size_t j = 0; j < COUNT(errnos); j++)
		in_a_sandbox(plain_without_pwritev2, SYS_pwritev2, 0, errnos[j]);
}

/* The kernel path says that nothing was done, and does not blame the disk. */
static void untorn_without_pwritev2(uint32_t number, uint32_t argument, int error)
{
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);

	refuse(number, argument, error);
	CHECK_EQ(kernel_write(file, 2, 16 * KIB, 16 * KIB, ATOMICIO_DSYNC), -error);
	CHECK_EQ(policy.last.kind, ATOMICIO_KIND_UNSUPPORTED);
	CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	CHECK_EQ(atomicio_sync(file), 0);
}

static void an_untorn_write_that_is_refused_leaves_the_old_page(void)
{
	for (size_t j = 0; j < COUNT(errnos); j++)
		in_a_sandbox(untorn_without_pwritev2, SYS_pwritev2, 0, errnos[j]);
}

/* A filter's EPERM and a file's own are told apart. */
static void a_sealed_file_is_no_sandbox(void)
{
	const int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file;

	MUST(fd);
	MUST(ftruncate(fd, 64 * KIB));
	file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_EQ(kernel_write(file, 2, 4 * KIB, 0, 0), -EPERM);
	atomicio_close(file);
	close(fd);
}

static void journal_without_flock(uint32_t number, uint32_t argument, int error)
{
	const struct atomicio_journal_options layout = {.size = 1u << 20};
	struct atomicio_journal *journal = NULL;
	const int fd = journal_file();

	refuse(number, argument, error);
	/* Two processes on one journal would lose pages: no lock, no journal. */
	CHECK_EQ(atomicio_journal_create(fd, &layout, sizeof(layout)), -error);
	CHECK_EQ(atomicio_journal_open(fd, NULL, 0, &journal), -error);
	CHECK(!journal);
}

static void without_flock_there_is_no_journal(void)
{
	for (size_t j = 0; j < COUNT(errnos); j++)
		in_a_sandbox(journal_without_flock, SYS_flock, 0, errnos[j]);
}

static void open_without_limits(uint32_t number, uint32_t argument, int error)
{
	struct atomicio_file *file = NULL;
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);

	refuse(number, argument, error);
	/* An unknown limit would tear a page across the limit. */
	CHECK_EQ(atomicio_open(fd, NULL, 0, &file), -error);
	CHECK(!file);
}

static void without_the_size_limit_there_is_no_handle(void)
{
	for (size_t j = 0; j < COUNT(errnos); j++)
		in_a_sandbox(open_without_limits, SYS_prlimit64, 0, errnos[j]);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(a_refused_call_is_stood_in_for_or_not_needed),
		TEST(a_call_refused_after_the_open_is_stood_in_for_as_well),
		TEST(a_probe_without_statx_says_so),
		TEST(plain_goes_by_pwrite_where_pwritev2_is_refused),
		TEST(an_untorn_write_that_is_refused_leaves_the_old_page),
		TEST(a_sealed_file_is_no_sandbox),
		TEST(without_flock_there_is_no_journal),
		TEST(without_the_size_limit_there_is_no_handle),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
