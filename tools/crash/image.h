/* SPDX-License-Identifier: MIT */
/*
 * The server of a disk and its cuts.
 *
 * Flow: image.c has the operations, image_cuts.c the cuts and the commands.
 */
#ifndef CRASH_IMAGE_H
#define CRASH_IMAGE_H

#include "cache.h"
#include "server.h"

/* Serve at the directory `where` until told to end.  Returns an exit status. */
int image_serve(const char *where, uint64_t size, uint32_t sector);

/* Cut N is INODE_CUTS + 2 N, its lines are the next number. */
enum { INODE_ROOT = FUSE_ROOT_ID, INODE_IMAGE, INODE_CUTS = 16 };

struct cut {
	struct table table;
	struct text text;
	bool is_there;
};

extern struct cache image_cache;

/* The cut of an inode, or NULL. */
struct cut *image_cut(fuse_ino_t inode);

/* A write was done; a flush has come and is not done yet. */
void image_event_write(void);
void image_event_flush(void);

bool image_command(char *words);

#endif /* CRASH_IMAGE_H */
