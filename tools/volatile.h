/* SPDX-License-Identifier: MIT */
/*
 * Do writes to this file outlive a crash of the machine?
 *
 * Flow: leaf; asked by doctor, and by the actions on a journal.
 */
#ifndef VOLATILE_H
#define VOLATILE_H

/* Why not, as the rest of a sentence that begins with the path; NULL: it may well. */
const char *volatile_why(int fd);

#endif /* VOLATILE_H */
