/* SPDX-License-Identifier: MIT */
/*
 * The ways of writing pages that are compared with each other: one list, and one implementation.
 *
 * Flow: `atomicio bench` (bench_measure.c) and the benches in tests/bench take steps of these.
 * ways.c has the step of each way; ways_disk.c and ways_ring.c hand its pages to the kernel.
 *
 * Rules:
 * Y1 Every rival is at its best.  Independent writes go out together.  Every possible engine is
 *    measured, and the best engine counts.
 * Y2 By hand, the pages of a step come sorted by offset, at no cost.  The library gets them in any
 *    order.
 * Y3 Files were written before, and no write changes metadata; pages of a step never overlap.
 * Y4 No call prints or ends the program.
 */
#ifndef WAYS_H
#define WAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/aio_abi.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/uring.h>

#define WAYS_PAGES_MAX 256u /* of one step */

/* Who makes a page untorn, or nobody; and the needs of a journal. */
enum ways_way {
	WAYS_KERNEL,  /* hardware or the filesystem, through the library */
	WAYS_JOURNAL, /* the library's journal */
	WAYS_DOUBLE,  /* by hand: all copies and a flush, all pages and a flush, as InnoDB does */
	WAYS_PLAIN,   /* by hand: all pages and a flush */
	WAYS_FLOOR,   /* by hand: the journal's frame and a flush, all pages, nothing else */
	WAYS_BARE,    /* by hand: all pages, and no flush: the time of the transfer */
	WAYS_COUNT
};

/* The engine: the pages' way to the kernel.  The library has calls, and a ring: its queue. */
enum ways_engine { WAYS_CALLS, WAYS_AIO, WAYS_RING, WAYS_ENGINES };

/* The shape of a step: the number of pages, and the time of durability. */
enum ways_shape {
	WAYS_PAGE,	 /* one durable page */
	WAYS_PAGES,	 /* many pages in one call, durable on return */
	WAYS_PAGES_SYNC, /* the pages singly, and a sync at the end */
	WAYS_SHAPES
};

struct ways_ring;

/* The kernel's queues of one thread. */
struct ways_disk {
	bool has_aio;
	aio_context_t aio;
	uint32_t flying;	/* requests on their way */
	int error;		/* of one of them */
	struct ways_ring *ring; /* NULL: there is none */
};

/* The state of one thread.  Zero the struct, fill in the first part, and call ways_begin(). */
struct ways_writer {
	uint32_t size;	     /* of a page */
	uint32_t pages;	     /* of a step, where a step is many */
	uint64_t span;	     /* of the home file, in bytes: steps write to random places */
	int fd;		     /* the home file of a way by hand */
	int copy;	     /* where a double write copies to, from copy_offset on */
	int log;	     /* where the floor writes its frames, round and round */
	uint64_t log_size;   /* 0: there is no floor */
	uint32_t frame_head; /* the part of a frame before its pages: bytes, up to WAYS_HEAD_MAX */
	uint32_t flags;	     /* of the library's writes, besides DSYNC */
	bool behind;	     /* the floor, with AIO: a step leaves its pages on their way */
	uint64_t copy_offset;
	unsigned char *memory;	    /* of `pages` pages, aligned */
	struct atomicio_file *file; /* the home file of a way of the library */
	struct atomicio_queue *queue;
	uint64_t random;
	/* The rest is ways.c's. */
	uint64_t log_at;
	struct ways_disk disk;
	uint64_t offsets[WAYS_PAGES_MAX];
	struct atomicio_op ops[WAYS_PAGES_MAX];
	struct iovec vector[WAYS_PAGES_MAX + 1]; /* the frame's head first */
};

#define WAYS_HEAD_MAX 65536u

/* All that return int return 0 or a negative errno. */
int ways_begin(struct ways_writer *writer);
void ways_end(struct ways_writer *writer);

/* From now on the pages come from this memory, of `pages` pages and aligned. */
void ways_use_memory(struct ways_writer *writer, unsigned char *memory);

/* One step.  The engine must be possible: ways_has_engine(). */
int ways_step(struct ways_writer *writer, enum ways_way way, enum ways_engine engine,
	      enum ways_shape shape);
/* Wait for the pages that a step has left on their way. */
int ways_settle(struct ways_writer *writer);
uint32_t ways_step_pages(const struct ways_writer *writer, enum ways_shape shape);

/* Is an engine worth a measurement here?  For a single page only the plain call is. */
bool ways_has_engine(const struct ways_writer *writer, enum ways_way way, enum ways_engine engine,
		     enum ways_shape shape);
const char *ways_engine_name(enum ways_way way, enum ways_engine engine);

/* A slot of a file: any place for a page of the writer. */
uint64_t ways_any_offset(struct ways_writer *writer);

/* ways_disk.c: a missing engine is no error. */
void ways_disk_begin(struct ways_disk *disk);
void ways_disk_end(struct ways_disk *disk);

/* Write the pages together, each at its offset, and wait until all are written. */
int ways_disk_put(struct ways_disk *disk, enum ways_engine engine, int fd,
		  const struct iovec *pages, const uint64_t *offsets, uint32_t count);

/* The same with AIO in two halves: send the pages, and wait for all that was sent. */
int ways_disk_start(struct ways_disk *disk, int fd, const struct iovec *pages,
		    const uint64_t *offsets, uint32_t count);
int ways_disk_wait(struct ways_disk *disk);

/* Write one run of bytes, durably. */
int ways_disk_put_durable(struct ways_disk *disk, enum ways_engine engine, int fd,
			  const struct iovec *vector, uint32_t count, uint64_t offset);

/* Read pages in the manner of ways_disk_put(): with AIO, else by calls. */
int ways_disk_get(struct ways_disk *disk, int fd, const struct iovec *pages,
		  const uint64_t *offsets, uint32_t count);

/* ways_ring.c: files stay open as long as the ring, which knows them by number. */
struct ways_ring *ways_ring_begin(uint32_t depth);
void ways_ring_end(struct ways_ring *ring);
int ways_ring_put(struct ways_ring *ring, int fd, const struct iovec *pages,
		  const uint64_t *offsets, uint32_t count);
int ways_ring_put_durable(struct ways_ring *ring, int fd, const struct iovec *vector,
			  uint32_t count, uint64_t offset);

#endif /* WAYS_H */
