/* SPDX-License-Identifier: MIT */
/*
 * The filesystems that the library knows by name: f_type of statfs(2), as in uapi/linux/magic.h.
 *
 * Flow: next to the sys table, for every family: the only place with the numbers.
 */
#ifndef LIBATOMICIO_SYS_MAGIC_H
#define LIBATOMICIO_SYS_MAGIC_H

#define SYS_MAGIC_EXT4 0x0000ef53u /* ext2 and ext3 too */
#define SYS_MAGIC_XFS 0x58465342u
#define SYS_MAGIC_BTRFS 0x9123683eu
#define SYS_MAGIC_TMPFS 0x01021994u
#define SYS_MAGIC_OVERLAY 0x794c7630u
#define SYS_MAGIC_ECRYPTFS 0x0000f15fu
#define SYS_MAGIC_FUSE 0x65735546u
#define SYS_MAGIC_9P 0x01021997u

#endif /* LIBATOMICIO_SYS_MAGIC_H */
