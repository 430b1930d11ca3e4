/* SPDX-License-Identifier: MIT */
/*
 * Writes through the library, by each of its three ways.
 *
 * Flow: library.c reads the command line; library_way.c makes one write; library_sizes.c makes
 * many; library_dirty.c writes against another process, library_crowd.c many pages at once;
 * library_orphan.c leaves writes behind.  raw_shot.c reads the disk.
 *
 * The rules of raw.h hold; the guest's scripts judge, except sizes, and contents in dirty.
 */
#ifndef TESTS_VM_LIBRARY_H
#define TESTS_VM_LIBRARY_H

#include "raw.h"

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

enum way {
	WAY_SYNC,  /* atomicio_write() */
	WAY_RING,  /* a guest in a ring of ours */
	WAY_QUEUE, /* atomicio_write_batch() with a queue */
	WAY_RAW,   /* pwritev2 without the library: the control */
	WAYS,
};

/* A handle, its io_urings, and the failures seen by its policy. */
struct library {
	int fd;
	struct atomicio_file *file;
	struct atomicio_options options;
	struct atomicio_queue *queue;
	struct atomicio_journal *journal;
	int journal_fd;
	enum way way;
	uint32_t flags;	     /* of a write */
	uint32_t again;	     /* entries that a ring's write needed besides the first */
	bool stubborn;	     /* its policy answers RETRY, always */
	uint64_t kinds_seen; /* a bit for each kind that the policy saw */
	struct atomicio_failure last;
	const char *save;   /* a file for the page that is written */
	const char *before; /* a command to run between open and write */
};

const char *library_number(const char *text, const char *key);
bool library_way(const char *text, enum way *way);
int library_open(struct library *library, int fd);
void library_close(struct library *library);
/* Several pages at once, of one length; results each as of atomicio_write(). */
void library_write_many(struct library *library, char *const *pages, const uint64_t *offsets,
			uint64_t length, int32_t *results, uint32_t count);
int32_t library_write(struct library *library, char *page, uint64_t offset, uint64_t length);

int library_sizes_command(int argc, char **argv);
int library_dirty_command(int argc, char **argv);
int library_crowd_command(int argc, char **argv);
int library_orphan_command(int argc, char **argv);

#endif /* TESTS_VM_LIBRARY_H */
