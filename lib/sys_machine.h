/* SPDX-License-Identifier: MIT */
/*
 * The process and the machine, for the table of sys.c: release, limits, memory, pauses, chance.
 *
 * Flow: below sys.h, whose rules hold.
 */
#ifndef LIBATOMICIO_SYS_MACHINE_H
#define LIBATOMICIO_SYS_MACHINE_H

#include "sys.h"

int sys_machine_release(char *buffer, size_t size);
int sys_machine_file_size_limit(uint64_t *limit);
int sys_machine_populate(const void *start, size_t length);
void sys_machine_sleep_us(uint32_t microseconds);
int sys_machine_random(void *buffer, size_t length);
void *sys_machine_allocate(size_t alignment, size_t size);
void sys_machine_release_memory(void *memory);

#endif /* LIBATOMICIO_SYS_MACHINE_H */
