/* SPDX-License-Identifier: MIT */
/*
 * Hand the library every struct that travels with its size.
 *
 * Flow: tests/abi/growth.sh compiles the program with the headers of one release and runs it with
 * the library of another.  Status 0: every call succeeds, leaves the bytes behind the struct alone,
 * and refuses a struct that is one byte too small.
 *
 *	growth FILE JOURNAL
 *	growth FILE JOURNAL tail	the options have a last byte that is not zero: -E2BIG
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

#define GUARD 64

static int failures, policy_calls;

static void expect(const char *what, int got, int wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "%s: %d, not %d\n", what, got, wanted);
	failures = 1;
}

/* CALL reads a struct of `type` into `place`, of `size` bytes. */
#define FILLS(type, call)                                                                          \
	do {                                                                                       \
		union {                                                                            \
			struct type type;                                                          \
			uint8_t bytes[sizeof(struct type) + GUARD];                                \
		} memory;                                                                          \
		struct type *place = &memory.type;                                                 \
		size_t size = sizeof(*place);                                                      \
		memset(&memory, 0xa5, sizeof(memory));                                             \
		expect(#call, call, 0);                                                            \
		for (size_t i = sizeof(*place); i < sizeof(memory.bytes); i++)                     \
			if (memory.bytes[i] != 0xa5)                                               \
				expect(#call " writes behind the struct", 1, 0);                   \
		size = FIRST_IS_OURS ? sizeof(*place) - 1 : 1;                                     \
		expect(#call " of too few bytes", call, -EINVAL);                                  \
	} while (0)

static int no_file(void *context, uint64_t file_id)
{
	(void)context;
	(void)file_id;
	return -ENOENT;
}

static uint32_t policy(void *context, const struct atomicio_failure *failure)
{
	(void)context;
	policy_calls++;
	expect("failure->size holds what we know", failure->size >= sizeof(*failure), 1);
	return ATOMICIO_FAIL;
}

/* The options' structs, with a last byte of `last`. */
static void set_tail(void *options, size_t size, char last)
{
	((char *)options)[size - 1] = last;
}

static void journal_calls(int fd, int tail, struct atomicio_journal **journal)
{
	struct atomicio_journal_options options;

	memset(&options, 0, sizeof(options));
	options.size = 4 << 20;
	if (tail) {
		set_tail(&options, sizeof(options), 1);
		expect("journal_create with a tail",
		       atomicio_journal_create(fd, &options, sizeof(options)), -E2BIG);
		set_tail(&options, sizeof(options), 0);
	}
	expect("journal_create", atomicio_journal_create(fd, &options, sizeof(options)), 0);
	expect("journal_create of too few bytes",
	       atomicio_journal_create(fd, &options, FIRST_IS_OURS ? sizeof(options) - 1 : 1),
	       -EINVAL);
	expect("journal_open", atomicio_journal_open(fd, NULL, 0, journal), 0);
	FILLS(atomicio_journal_info, atomicio_journal_get_info(*journal, place, size));
	FILLS(atomicio_recovery,
	      atomicio_journal_recover(*journal, no_file, NULL, NULL, 0, place, size));
}

static void file_calls(int fd, int tail, struct atomicio_journal *journal)
{
	struct atomicio_options options;
	struct atomicio_queue *queue;
	struct atomicio_file *file;

	memset(&options, 0, sizeof(options));
	options.policy = policy;
	options.journal = journal;
	options.file_id = 1;
	options.path = ATOMICIO_PATH_KERNEL;
	if (tail) {
		set_tail(&options, sizeof(options), 1);
		expect("open with a tail", atomicio_open(fd, &options, sizeof(options), &file),
		       -E2BIG);
		set_tail(&options, sizeof(options), 0);
	}
	expect("open of too few bytes",
	       atomicio_open(fd, &options, FIRST_IS_OURS ? sizeof(options) - 1 : 1, &file),
	       -EINVAL);
	expect("open", atomicio_open(fd, &options, sizeof(options), &file), 0);
	FILLS(atomicio_caps, atomicio_probe(fd, place, size));
	FILLS(atomicio_caps, atomicio_file_get_caps(file, place, size));
	FILLS(atomicio_stats, atomicio_file_get_stats(file, place, size));
	expect("write", atomicio_write(file, "no page", 7, 1, 0) < 0, 1);
	expect("calls of the policy", policy_calls, 1);
	expect("queue_create", atomicio_queue_create(4, &queue), 0);
	FILLS(atomicio_queue_stats, atomicio_queue_get_stats(queue, place, size));
	atomicio_queue_destroy(queue);
	expect("close", atomicio_close(file), 0);
}

int main(int argc, char **argv)
{
	const int fd = argc > 2 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	const int journal_fd = argc > 2 ? open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	struct atomicio_journal *journal = NULL;

	if (fd < 0 || journal_fd < 0)
		return 2;
	journal_calls(journal_fd, argc > 3, &journal);
	if (journal)
		file_calls(fd, argc > 3, journal);
	atomicio_journal_close(journal);
	return failures;
}
