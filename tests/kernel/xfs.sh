#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Untorn writes on XFS with reflink, for real: shapes, silent failures, options.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs
kernel_mount xfs xfs -m reflink=1 || exit 1
kernel_run bounds "$kernel_scratch/xfs"
kernel_run silent "$kernel_scratch/xfs"
kernel_run options "$kernel_scratch/xfs"
# Another block size moves unit_min, and so the lower bound.
kernel_mount xfs small -m reflink=1 -b size=1024 || exit 1
echo "# blocks of 1024 bytes"
kernel_run bounds "$kernel_scratch/small"
kernel_finish
