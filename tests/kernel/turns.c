/* SPDX-License-Identifier: MIT */
/*
 * Goal: processes use a journal in turns, and are killed at any moment.  No acknowledged write is
 * lost, no page is torn, no group is half there.  A reader who learns that the journal is not hot
 * sees the same without a recovery.
 *
 * Method: three processes move money between pages of two files, count their transfers in a page
 * each, and read everything; one process is killed every few milliseconds, and a new one started.
 * A file that outlives the processes records the acknowledged transfers.  A careless process does
 * not ask whether the journal is hot, and has to see the states that careful processes never see.
 *
 *	turns drive DIRECTORY SECONDS [careless]	status 1: not as it should be
 *	turns work DIRECTORY NUMBER [careless]		one process, until it is killed
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "libatomicio/turns.h"

#define WORKERS 3u
#define PAGE (4 * KIB)
#define PAGES 32u /* of each file; in the first pages of file 0 the workers count */
#define ALL (2 * PAGES)
#define GROUP 16u
#define START 1000
#define ENOUGH 20u /* kills in turns */

/* Whole if all sectors are the same. */
union page {
	struct {
		uint64_t stamp;
		int64_t balance;
		uint64_t count;
		uint8_t rest[512 - 24];
	} sectors[PAGE / 512];
	uint8_t bytes[PAGE];
};

/* Outlives every process. */
static struct board {
	_Atomic uint64_t acknowledged[WORKERS];
	_Atomic uint32_t in_turn[WORKERS];
	_Atomic uint64_t reads, recoveries, bad;
} * board;

static union page *pages; /* of both files */
static struct atomicio_journal *journal;
static struct atomicio_file *files[2];
static int fds[2], journal_fd, lock_fd;
static uint32_t self;
static bool careless;

static int open_in(const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, name);
	fd = open(path, flags | O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd);
	return fd;
}

/* The caller's lock, as SQLite has it: gone when the process is. */
static void lock(short type)
{
	struct flock one = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};

	MUST(fcntl(lock_fd, F_SETLKW, &one));
}

static void open_files(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct atomicio_options options = {
			.journal = journal, .file_id = i + 1, .path = ATOMICIO_PATH_JOURNAL};

		CHECK_EQ(atomicio_open(fds[i], &options, sizeof(options), &files[i]), 0);
	}
}

static void open_all(void)
{
	const struct atomicio_journal_open_options shared = {.flags = ATOMICIO_JOURNAL_OPEN_SHARED};

	CHECK_EQ(atomicio_journal_open(journal_fd, &shared, sizeof(shared), &journal), 0);
	open_files();
}

static void close_files(void)
{
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQ(atomicio_close(files[i]), 0);
}

static void open_descriptors(void)
{
	const int flags = self % 2 ? 0 : O_DIRECT; /* some with the cache, some without */

	journal_fd = open_in("journal", 0);
	lock_fd = open_in("lock", 0);
	fds[0] = open_in("a", flags);
	fds[1] = open_in("b", flags);
	board = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open_in("board", 0), 0);
	CHECK(board != MAP_FAILED);
	pages = (union page *)(void *)kernel_memory(ALL * PAGE);
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 || file_id == 2 ? fds[file_id - 1] : -ENOENT;
}

static void must_hold(bool holds, const char *what, uint64_t at, uint64_t found)
{
	if (holds)
		return;
	atomic_fetch_add(&board->bad, 1);
	printf("# process %u: %s %" PRIu64 " (%" PRIu64 ")\n", self, what, at, found);
	longjmp(kernel_failed, 1);
}

/* With a lock: read both files, and judge them. */
static void look(void)
{
	uint64_t acknowledged[WORKERS];
	int64_t sum = 0;

	for (uint32_t i = 0; i < WORKERS; i++)
		acknowledged[i] = atomic_load(&board->acknowledged[i]);
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQ(pread(fds[i], pages + i * PAGES, PAGES * PAGE, 0), PAGES * PAGE);
	for (uint32_t i = 0; i < ALL; i++) {
		const union page *page = &pages[i];

		for (uint32_t s = 1; s < PAGE / 512; s++)
			must_hold(!memcmp(&page->sectors[0], &page->sectors[s], 512), "torn page",
				  i, page->sectors[s].stamp);
		sum += page->sectors[0].balance;
	}
	must_hold(sum == (int64_t)ALL * START, "half a group, sum is", (uint64_t)sum, 0);
	for (uint32_t i = 0; i < WORKERS; i++)
		must_hold(pages[i].sectors[0].count >= acknowledged[i] &&
				  pages[i].sectors[0].count <= acknowledged[i] + 1,
			  "lost, or too many, of process", i, pages[i].sectors[0].count);
	atomic_fetch_add(&board->reads, 1);
}

static void change(uint32_t i, uint64_t stamp, int64_t amount, uint64_t counts)
{
	for (uint32_t s = 0; s < PAGE / 512; s++) {
		pages[i].sectors[s].stamp = stamp;
		pages[i].sectors[s].balance += amount;
		pages[i].sectors[s].count += counts;
	}
}

/* The worker's own page, and others of both files, all or none. */
static void transfer(void)
{
	const uint32_t count = 2 + (uint32_t)rand() % (GROUP - 1),
		       step = 1 + 2 * ((uint32_t)rand() % 8);
	const uint64_t stamp = pages[self].sectors[0].count + 1;
	struct atomicio_op ops[GROUP];

	for (uint32_t i = 0; i < count; i++) {
		const uint32_t at = (self + i * step) % ALL; /* odd: no page comes twice */

		change(at, stamp, i ? 1 : 1 - (int64_t)count, i == 0);
		ops[i] = (struct atomicio_op){.file = files[at / PAGES],
					      .buffer = &pages[at],
					      .offset = (uint64_t)(at % PAGES) * PAGE,
					      .length = PAGE};
	}
	CHECK_EQ(atomicio_write_batch(NULL, ops, count, ATOMICIO_ALL_OR_NONE), 0);
	atomic_store(&board->acknowledged[self], stamp);
}

static void take_turn(bool writes)
{
	int result;

	lock(F_WRLCK);
	result = atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT);
	atomic_store(&board->in_turn[self], 1);
	if (result == 1) {
		atomic_fetch_add(&board->recoveries, 1);
		result = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0);
	}
	CHECK_EQ(result, 0);
	look();
	/* Which worker was killed after its group was durable, and before the acknowledgment? */
	atomic_store(&board->acknowledged[self], pages[self].sectors[0].count);
	if (writes)
		transfer();
	if (writes && rand() % 8 == 0)
		CHECK_EQ(atomicio_journal_checkpoint(journal), 0);
	CHECK_EQ(atomicio_journal_turn_end(journal), 0);
	atomic_store(&board->in_turn[self], 0);
	lock(F_UNLCK);
}

static void read_all(void)
{
	int hot;

	lock(F_RDLCK);
	hot = careless ? 0 : atomicio_journal_is_hot(journal);
	if (!hot)
		look();
	lock(F_UNLCK);
	if (hot)
		take_turn(false);
}

static void work(void)
{
	open_descriptors();
	open_all();
	for (;;) {
		if (rand() % 3)
			read_all();
		else
			take_turn(true);
		if (rand() % 16 == 0) {
			close_files();
			open_files();
		}
		if (rand() % 64 == 0) {
			close_files();
			CHECK_EQ(atomicio_journal_close(journal), 0);
			open_all();
		}
	}
}

static void make(void)
{
	const struct atomicio_journal_options options = {.size = 640 * KIB, .frame_max = 72 * KIB};

	open_descriptors();
	MUST(ftruncate(open_in("board", 0), PAGE));
	for (uint32_t i = 0; i < ALL; i++) {
		change(i, 0, START, 0);
		CHECK_EQ(pwrite(fds[i / PAGES], &pages[i], PAGE, (off_t)(i % PAGES) * PAGE), PAGE);
	}
	for (uint32_t i = 0; i < 2; i++)
		MUST(fsync(fds[i]));
	CHECK_EQ(atomicio_journal_create(journal_fd, &options, sizeof(options)), 0);
}

static pid_t start(char **argv, uint32_t number)
{
	char name[16];
	const pid_t pid = fork();

	MUST(pid);
	if (pid)
		return pid;
	snprintf(name, sizeof(name), "%u", number);
	execl("/proc/self/exe", argv[0], "work", argv[2], name, argv[4], (char *)NULL);
	_exit(127);
}

/* After a while any worker, preferably one in its turn. */
static uint32_t choose_victim(void)
{
	const uint32_t first = (uint32_t)rand();

	usleep(1000 + (useconds_t)rand() % 10000);
	for (uint32_t i = 0; i < 20 * WORKERS && first % 4; i++) {
		const uint32_t victim = (first + i) % WORKERS;

		if (atomic_load(&board->in_turn[victim])) {
			usleep((useconds_t)first / 4 % 1000);
			return victim;
		}
		usleep(50);
	}
	return first % WORKERS;
}

static void drive(char **argv, time_t seconds)
{
	pid_t pids[WORKERS];
	uint64_t kills = 0, in_turn = 0;
	const time_t begun = time(NULL);
	bool ended = false;

	make();
	for (uint32_t i = 0; i < WORKERS; i++)
		pids[i] = start(argv, i);
	while (time(NULL) < begun + seconds ||
	       (in_turn < ENOUGH && time(NULL) < begun + 8 * seconds)) {
		const uint32_t victim = choose_victim();

		/* An end without a kill is what a fault looks like. */
		for (uint32_t i = 0; i < WORKERS; i++)
			ended |= waitpid(pids[i], NULL, WNOHANG) != 0;
		if (ended)
			break;
		kill(pids[victim], SIGKILL);
		MUST(waitpid(pids[victim], NULL, 0));
		kills++;
		in_turn += atomic_exchange(&board->in_turn[victim], 0);
		pids[victim] = start(argv, victim);
	}
	for (uint32_t i = 0; i < WORKERS; i++) {
		kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
	}
	printf("# %" PRIu64 " kills, %" PRIu64 " of them in a turn; %" PRIu64
	       " recoveries, %" PRIu64 " reads\n",
	       kills, in_turn, atomic_load(&board->recoveries), atomic_load(&board->reads));
	open_all();
	take_turn(true);
	close_files();
	CHECK_EQ(atomicio_journal_close(journal), 0);
	CHECK_EQ(ended, careless);
	CHECK_EQ(atomic_load(&board->bad) > 0, careless);
	CHECK(careless || in_turn >= ENOUGH);
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5)
		return 2;
	kernel_directory = argv[2];
	careless = argc == 5;
	setvbuf(stdout, NULL, _IOLBF, 0);
	srand((unsigned int)(getpid() * 31 + time(NULL)));
	if (setjmp(kernel_failed))
		return 1;
	if (!strcmp(argv[1], "drive")) {
		drive(argv, (time_t)strtol(argv[3], NULL, 10));
	} else {
		self = (uint32_t)strtoul(argv[3], NULL, 10) % WORKERS;
		work();
	}
	return 0;
}
