/* SPDX-License-Identifier: MIT */
/*
 * Machines to probe, and what a probe of them must say.
 *
 * Flow: used by the probe tests on top of fake_sys.h.
 */
#ifndef PROBE_MACHINE_H
#define PROBE_MACHINE_H

#include "fake_sys.h"
#include "libatomicio/atomicio.h"

#define MAGIC_XFS 0x58465342u
#define MAGIC_EXT4 0xef53u
#define MAGIC_OVERLAY 0x794c7630u
#define MAGIC_TMPFS 0x01021994u
#define MAGIC_NEW 0x12345678u

#define DISK "/sys/devices/pci0000:00/0000:00:04.0/host0/target0:0:0/0:0:0:0/block/sda"
#define NVME "/sys/devices/pci0000:00/0000:00:05.0/nvme/nvme0/nvme0n1"
#define NVME_MULTIPATH "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
#define DM0 "/sys/devices/virtual/block/dm-0"
#define DM1 "/sys/devices/virtual/block/dm-1"
#define MD "/sys/devices/virtual/block/md127"

extern const struct fake_queue queue_none; /* no untorn writes */
extern const struct fake_queue queue_64k;  /* 512 to 64 KiB */
extern const struct fake_queue queue_4k;   /* one block of 4 KiB */

/* The answer of the last probe. */
extern struct atomicio_caps caps;

/* Probe the fake machine: must succeed and leave no descriptor open. */
void probe_machine(void);

/* Probe, and compare `direct` and the reasons exactly; BUFFERED_NOT_IN_KERNEL is implied. */
void expect(uint32_t mechanism, uint32_t unit_min, uint32_t unit_max, uint32_t unit_max_hw,
	    uint64_t reasons);
void expect_none(uint64_t reasons);

/* The file is a block device, or lies on one, with this queue; NULL: no sysfs. */
void machine_block_device(const struct fake_queue *queue);
void machine_ext4(const struct fake_queue *queue);
void machine_xfs(const struct fake_queue *queue);

/* The file is partition 8:1 of a disk with units from 8 KiB to 64 KiB. */
void machine_partition(uint64_t start_sector, uint32_t boundary);

/* statx does not know the bit, and the confirming call says EOPNOTSUPP. */
void machine_no_answer(void);

/* The confirming call says EOPNOTSUPP. */
void machine_refuses(void);

#endif /* PROBE_MACHINE_H */
