/* SPDX-License-Identifier: MIT */
/*
 * An application over the library over the simulated disk: the language of the scenarios.
 *
 * Flow: explore.c runs world_main() (world_boot.c) in a fiber, which recovers, checks, then runs
 * the steps of the scenario for this boot.  Each step tells the oracle its request and the
 * library's promise.  A step that finds a broken promise leaves the run with world.problem set.
 */
#ifndef CRASH_WORLD_H
#define CRASH_WORLD_H

#include "disk.h"
#include "libatomicio/atomicio.h"
#include "libatomicio/journal.h"
#include "oracle.h"

#define HANDLES 6u

/* How a scenario wants a file opened. */
#define OPEN_BUFFERED 1u
#define OPEN_REOPEN_DIRECT 2u

struct world;

struct scenario {
	const char *name;
	const char *about;
	uint32_t journal_size;
	uint32_t frame_max;
	void (*run)(struct world *world, uint32_t boot);
	uint32_t fates_first;  /* fates taken at a crash of the first boot */
	uint32_t fates_second; /* and of the second */
	uint32_t descend;      /* how many of the first lead to a second boot */
	bool faults;	       /* also with each call failing */
	bool threads;	       /* also under each schedule */
	bool homes;	       /* also with homes that end in the opposite order */
	bool slow;	       /* also with requests that end only when waited for */
	bool live_before;      /* see retry() */
	bool buffered_journal; /* the journal's file cannot be opened direct */
	bool kills;	       /* also with each process killed in each of its calls */
	bool partial;	       /* a recovery without file 2 comes before the full recovery */
	bool swapped;	       /* in the partial recovery another file takes the place of file 2 */
	bool damage;	       /* also with each copy of the header damaged at the crash */
	bool server;	       /* see disk.h */
	bool full;	       /* see disk.h */
	bool cache_lies;       /* see disk.h; and file 2 cannot be opened direct */
};

struct handle {
	struct atomicio_file *file;
	uint32_t number; /* of the file */
	uint32_t path;
};

struct world {
	const struct scenario *scenario;
	uint32_t boot;
	bool recover_only;
	bool killed; /* the last boot ended without a power cut */
	struct atomicio_journal *journal;
	struct handle handles[HANDLES];
	struct oracle oracle;
	char problem[160];
	uint32_t home_writes_at_publish; /* for scenarios that count */
	uint32_t notes;			 /* ATOMICIO_JOURNAL_NOTE_* that the next open must give */
};

extern struct world world;
extern const struct scenario *const scenarios[];

/* The whole of one boot; the argument is not used. */
void world_main(void *unused);
/* Before the run: its parameters.  `soon`: a leader waits for writers on their way home. */
void world_begin(const struct scenario *scenario, uint32_t boot, bool recover_only, bool soon);
/* The machine as it is before anything: homes written, no journal. */
void world_prepare(void);

/* Leave the run: a promise is broken. */
void world_problem(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* For scenarios of their own making: the answer to recovery, and whether an error may be. */
int world_resolve(void *context, uint64_t file_id);
int world_expect(const char *what, int error);
/* The bytes seen now keep the promises; with `settle` they become the base. */
void world_check_seen(bool settle);

/* Open, recover, and look: the seen and the durable bytes keep all promises. */
void world_recover(void);
void world_open_journal(void);
struct atomicio_journal_info world_info(void);

/* world_harm.c: recoveries with the harm of this scenario, before the full recovery. */
void world_recover_partly(void);
void world_recover_damaged(void);
void world_damage_one(void);

void step_open(uint32_t handle, uint32_t file, uint32_t path, uint32_t how);
int step_close(uint32_t handle);
int step_write(uint32_t handle, uint64_t offset, uint32_t length, uint32_t flags);
/* The same with the content of an earlier write. */
int step_write_again(uint32_t handle, uint64_t offset, uint32_t length, uint16_t tag);

struct step_page {
	uint32_t handle;
	uint32_t length;
	uint64_t offset;
	uint16_t tag; /* 0: a new one */
};
/* All or none, or (`loose`) each page for itself, durable; with more flags of a write. */
int step_group_with(const struct step_page *pages, uint32_t count, bool loose, uint32_t flags);
static inline int step_group(const struct step_page *pages, uint32_t count, bool loose)
{
	return step_group_with(pages, count, loose, 0);
}

/* A group that no journal takes: nothing is written. */
void step_group_refused(const struct step_page *pages, uint32_t count, int error);

int step_sync(uint32_t handle);
/* Wait for what was written with ATOMICIO_BEHIND. */
int step_settle(uint32_t handle, uint64_t offset, uint32_t length);
int step_forget(uint32_t file);
void step_checkpoint(void);
/* Another program writes, and syncs if asked to; tag TAG_ZERO: zeroes. */
void step_foreign(uint32_t file, uint64_t offset, uint32_t length, bool zero, bool sync);
/* The process goes down in good order as far as it can, and comes back. */
void step_restart(void);
/* A write for which the disk has no room: refused before its frame. */
void step_refused(uint32_t handle, uint64_t offset, uint32_t length);
/* Write a page that holds a frame (forge.h). */
void step_forged(uint32_t handle);
/* Damage the oldest live frame, see open and recovery report the damage, and repair the frame. */
void step_rot(void);
/* Wait for the threads; the bytes left by them become the base. */
void step_join(void);

#endif /* CRASH_WORLD_H */
