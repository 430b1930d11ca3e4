/* SPDX-License-Identifier: MIT */
/*
 * Goal: io_uring writes of a killed process land after the end of the process, over the pages of
 * the successor.  ATOMICIO_OPEN_LOCK keeps the successor out until these writes are done.
 *
 * Method: orphan.sh serves a slow disk (atomicio crash serve image) and hands over the control
 * descriptors in DISK_TO and DISK_FROM.  A child writes a batch through a queue and is killed
 * while its pages, known by a text in them, wait in the disk.
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "libatomicio/uring.h"

#define NAME "orphan"
#define PAGE (16 * KIB)
#define PAGES 16u
#define DELAY_MS 1500
#define TEXT "ORPHANED"

/* One command, and its answer. */
static void ask(const char *command, char line[128])
{
	const int to = atoi(getenv("DISK_TO")), from = atoi(getenv("DISK_FROM"));

	MUST(dprintf(to, "%s\n", command));
	memset(line, 0, 128);
	for (size_t i = 0; i < 127; i++) {
		struct pollfd ready = {.fd = from, .events = POLLIN};

		CHECK_EQ(poll(&ready, 1, 10000), 1);
		CHECK_EQ(read(from, &line[i], 1), 1);
		if (line[i] == '\n')
			break;
	}
	CHECK(strncmp(line, "error", 5) != 0);
}

static void write_batch(int fd, uint32_t flags)
{
	const struct atomicio_options options = {.path = ATOMICIO_PATH_KERNEL, .flags = flags};
	struct atomicio_file *file = kernel_open(fd, &options);
	struct atomicio_queue *queue = NULL;
	struct atomicio_op ops[PAGES];

	CHECK_EQ(atomicio_queue_create(PAGES, &queue), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		char *page = (char *)kernel_memory(PAGE);

		memset(page, 'a', PAGE);
		memcpy(page, TEXT, sizeof(TEXT) - 1);
		ops[i] = (struct atomicio_op){
			.file = file, .buffer = page, .offset = (uint64_t)i * PAGE, .length = PAGE};
	}
	(void)atomicio_write_batch(queue, ops, PAGES, 0);
}

/* A child is killed while its pages are under way. */
static void leave_orphans(int fd, uint32_t flags)
{
	char command[96], line[128];
	pid_t child;

	snprintf(command, sizeof(command), "fault write slow=%d times=0 content=%s", DELAY_MS,
		 TEXT);
	ask(command, line);
	child = fork();
	MUST(child);
	if (child == 0) {
		/* The description that is locked is the child's alone. */
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", kernel_directory, NAME);
		close(fd);
		write_batch(open(path, O_RDWR | O_DIRECT | O_CLOEXEC), flags);
		_exit(1);
	}
	do {
		usleep(5000);
		ask("fired", line);
	} while (!strpbrk(line, "123456789"));
	usleep(100000); /* all of the batch */
	MUST(kill(child, SIGKILL));
	MUST(waitpid(child, NULL, 0));
}

static uint32_t orphaned_pages(int fd)
{
	char *page = (char *)kernel_memory(PAGE);
	uint32_t count = 0;

	for (uint32_t i = 0; i < PAGES; i++) {
		CHECK_EQ(pread(fd, page, PAGE, (off_t)(i * PAGE)), PAGE);
		count += !memcmp(page, TEXT, sizeof(TEXT) - 1);
	}
	free(page);
	return count;
}

static void write_as_successor(int fd)
{
	uint8_t *page = kernel_memory(PAGE);

	memset(page, 'b', PAGE);
	for (uint32_t i = 0; i < PAGES; i++)
		CHECK_EQ(pwrite(fd, page, PAGE, (off_t)(i * PAGE)), PAGE);
	CHECK_EQ(orphaned_pages(fd), 0);
	free(page);
}

static void end(int fd)
{
	char line[128];

	ask("clear", line);
	close(fd);
}

/* The process, its descriptors and its record locks are gone; the writes are not. */
/* A59 */
static void writes_of_a_killed_process_land_over_its_successors(void)
{
	const int fd = kernel_file(NAME, PAGES * PAGE, O_RDWR | O_DIRECT);

	leave_orphans(fd, 0);
	CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0); /* nobody has it */
	write_as_successor(fd);
	usleep((DELAY_MS + 500) * 1000);
	CHECK(orphaned_pages(fd) > 0);
	end(fd);
}

/* A59 */
static void a_lock_is_held_until_the_last_write_of_the_killed_is_done(void)
{
	const int fd = kernel_file(NAME, PAGES * PAGE, O_RDWR | O_DIRECT);

	leave_orphans(fd, ATOMICIO_OPEN_LOCK);
	CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), -1);
	CHECK_EQ(errno, EWOULDBLOCK);
	CHECK_EQ(flock(fd, LOCK_EX), 0); /* waits for them */
	write_as_successor(fd);
	usleep((DELAY_MS + 500) * 1000);
	CHECK_EQ(orphaned_pages(fd), 0);
	end(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(writes_of_a_killed_process_land_over_its_successors),
		TEST(a_lock_is_held_until_the_last_write_of_the_killed_is_done),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
