/* SPDX-License-Identifier: MIT */
/*
 * A handle on a raw block device, on the fake disk, and a policy that fails and remembers.
 *
 * Flow: used by the tests of write_device.c on top of write_machine.h.
 */
#ifndef DEVICE_MACHINE_H
#define DEVICE_MACHINE_H

#include "write_machine.h"

extern struct policy_script script;

/* A device with untorn writes and an empty page cache. */
void device_machine(void);

struct atomicio_file *device_open(void);

/* Write a page of NEW, not the first of the device. */
int device_write(struct atomicio_file *file, uint32_t flags);

#endif /* DEVICE_MACHINE_H */
