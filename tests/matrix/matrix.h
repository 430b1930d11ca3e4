/* SPDX-License-Identifier: MIT */
/*
 * The matrix: every way of writing, in every environment, with every fault, under one oracle.
 *
 * Flow: run.sh makes an environment and starts main.c with the cells of the environment; main.c
 * runs each cell in a process of its own (ways.c writes, faults.c makes the fault) and judges the
 * files (judge.c).
 *
 * Rules; a cell that breaks one is red:
 * X1 A page whose durable write returned 0 is there after a cut, or without a cut on the disk.  The
 *    same holds for a write without DSYNC, if the next sync returned 0.
 * X2 A page whose write failed is as on_disk said: old, or old or new.  UNKNOWN is only allowed for
 *    a plain write on request, or a torn result that was caught.
 * X3 No page is a mixture, except where on_disk said UNKNOWN.
 * X4 Nothing hangs.
 * X5 A write to another page goes on after the fault, or says why not; X1 to X3 hold there too.
 * X6 Where room was made on a full disk, the next writes are written.
 * X7 On FUSE the server is asked to sync for each durable write, or once per batch: a kernel that
 *    drops DSYNC on FUSE is no excuse.
 * X8 Nothing is written behind the last page, where O_APPEND would put it.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>
#include <libatomicio/uring.h>

#define LENGTH 16384u
#define PAGES 8u       /* 0 to 5 under the fault, 6 and 7 after it */
#define LIMIT 10       /* seconds for a cell */
#define BYTE_OF_BOTH 4 /* of a page: old and new have the same byte (matrix_fill) */

enum page_state { OLD_PAGE, NEW_PAGE, MIXED_PAGE };

/* The result of one write.  Memory that the cell shares with the judge. */
struct outcome {
	bool was_tried;
	int result;
	uint32_t on_disk; /* of the last failure, 0: nobody asked */
	bool went_plain;
	bool is_lazy; /* written without DSYNC: only a sync that says 0 makes it durable */
};

struct cell {
	char way[24], fault[32], expected[8]; /* fault may have a variant: "name:variant" */
	volatile int applies;		      /* 0: the fault is not possible here */
	volatile int set_up;		      /* the writes were reached */
	int setup_result;		      /* of open, if it refused: an answer too */
	int sync_result;
	bool has_fired;
	bool is_short;	    /* the old state of a page: beyond the end of the file */
	bool may_read_only; /* the fault: no descriptor for writing */
	struct outcome pages[PAGES];
};

/* Where the cell is: set by main.c from the environment's variables. */
extern const char *matrix_directory, *matrix_environment;
extern struct cell *cell;

/* A command to the server, if the environment has one: true if obeyed. */
bool matrix_ask(const char *command, char *answer, uint32_t size);

/* ways.c */
bool way_is_known(const char *name);
bool way_uses_journal(const char *name);
bool way_is_batch(const char *name); /* its writes may share a sync */
int way_flags(void);		     /* of open(2) for the page file */
int way_open(int fd, int log_fd);    /* 0 or a negative errno */
void way_write(uint32_t first, uint32_t count);
int way_sync(void);

/* faults.c */
bool fault_is_known(const char *name);
void fault_print_all(void);		     /* a line per fault: name, and variants */
void fault_early(void);			     /* before the files are opened */
int fault_open_flags(void);		     /* of open(2) for the page file */
bool fault_has_lazy_pages(void);	     /* the first three are written without DSYNC */
bool fault_makes_room(void);		     /* when it is over */
uint32_t fault_write_flags(uint32_t number); /* of the writes */
void fault_before_open(void);		     /* of the handle */
void fault_after_open(int fd);
void fault_is_over(int fd); /* by the cell itself, before the last pages */
void fault_join(void);	    /* by the cell, at its end: no thread asks the server any more */
void fault_undo(void);	    /* by main.c, whatever became of the cell */
bool fault_fired(void);	    /* for a fault of the server's: asked before the undo */
void fault_free_inode(const char *directory); /* of its flags */

/* judge.c: NULL, or the fault, in one line. */
const char *judge(const char *directory, bool is_cut);
void matrix_fill(void *page, uint32_t number, bool is_new);
int matrix_open(const char *directory, const char *name, int flags);

#endif /* MATRIX_H */
