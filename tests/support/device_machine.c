/* SPDX-License-Identifier: MIT */
/* A handle on a raw block device, on the fake disk.  See device_machine.h. */
#include "device_machine.h"

struct policy_script script;

void device_machine(void)
{
	write_machine();
	disk_is_device();
	policy_fails(&script);
}

struct atomicio_file *device_open(void)
{
	const struct atomicio_options options = {
		.policy = policy_scripted, .policy_context = &script, .retries_max = 3};

	return machine_open(&options);
}

int device_write(struct atomicio_file *file, uint32_t flags)
{
	return atomicio_write(file, page, PAGE, PAGE, flags);
}
