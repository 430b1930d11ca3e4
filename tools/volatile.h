/* SPDX-License-Identifier: MIT */
/*
 * Does what is written here outlive a crash of the machine?
 *
 * Flow: leaf; asked by doctor, and by what looks at a journal.
 */
#ifndef VOLATILE_H
#define VOLATILE_H

/* Why not, as the rest of a sentence that begins with the path; NULL: it may well. */
const char *volatile_why(int fd);

#endif /* VOLATILE_H */
