#!/bin/bash
# SPDX-License-Identifier: MIT
# Run guest tests in a virtual machine on a kernel of your choice, with disks that do atomic writes.
# Flow: fetch.sh brings QEMU and the kernel; the guest starts guest/init (initramfs), then
# guest/main, which runs every test; this script judges what came back.
#
# usage: run.sh [--kernel 6.1|6.12|7.3] [--build DIR] [--limit SECONDS] [--keep] [TEST...]
#	TEST is a script (guest/test_NAME.sh as NAME) or one test function; none: all of them
#
# R1 the plan is made here, from the test functions in the scripts, before the guest starts.  Every
#    planned test must bring exactly one result, and the guest must say `done` after the last:
#    a panic, a hang, a script that cannot be read or a lost result is a failure, never a gap.
# R2 the guest sees this machine's root read-only with a tmpfs on top, so it runs what is built
#    here; nothing it does reaches the host but the files in its output directory.
# Exit: 0 all passed or skipped; 1 something failed; 77 with one sentence: cannot run here.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
source_root=$(cd "$here/../.." && pwd)
build=$source_root/build
kernel=7.3
limit=900
keep=""
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2 && shift ;;
	--build) build=$2 && shift ;;
	--limit) limit=$2 && shift ;;
	--keep) keep=yes ;;
	-*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
	*) break ;;
	esac
	shift
done

skip() {
	echo "vm: $*" >&2
	exit 77
}

# Tools that the guest runs from the share.  Installed here if this is root on a Debian.
host_tools() {
	local pair missing=""
	for pair in mkfs.xfs:xfsprogs mkfs.ext4:e2fsprogs dmsetup:dmsetup mdadm:mdadm \
		addpart:util-linux gcc:gcc; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${pair%:*}" >/dev/null ||
			missing="$missing ${pair#*:}"
	done
	[ -z "$missing" ] && return
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || skip "install the Debian packages:$missing"
	{ apt-get install -y --no-install-recommends $missing ||
		{ apt-get update && apt-get install -y --no-install-recommends $missing; }; } \
		>"$build/vm/install.log" 2>&1 </dev/null ||
		skip "these packages cannot be installed:$missing (see $build/vm/install.log)"
}

# Names of the tests asked for, a line each: SCRIPT TEST.
make_plan() {
	local script name wanted
	for script in "$here"/guest/test_*.sh ${VM_EXTRA_TESTS:-}; do
		name=$(basename "$script" .sh)
		sed -n 's/^test_\([a-z0-9_]*\)().*/\1/p' "$script" | while read -r test; do
			if [ $# = 0 ]; then
				echo "$script $test"
				continue
			fi
			for wanted in "$@"; do
				if [ "test_$wanted" = "$name" ] || [ "$wanted" = "$test" ]; then
					echo "$script $test"
				fi
			done
		done
	done
}

# The C programs of this directory.  The library's own test programs come from the build.
build_programs() {
	mkdir -p "$build/vm/bin"
	make -s -f "$here/Makefile" -C "$here" OUT="$build/vm/bin"
}

# Modules needed before the share is there, with all they depend on.
module_closure() { # modules.dep module-path...
	local dep=$1 path
	shift
	for path in "$@"; do
		module_closure "$dep" $(sed -n "s|^$path: *||p" "$dep")
		echo "$path"
	done
}

make_initramfs() {
	local root=$run/initramfs modules=$cache/kernel-$kernel/lib/modules/$release name path
	mkdir -p "$root"/{bin,proc,sys,dev,host,out,upper,root,modules}
	cp "$cache/qemu/usr/bin/busybox" "$root/bin/busybox"
	cp "$here/guest/init" "$root/init"
	for name in virtio_pci 9pnet_virtio 9p overlay; do
		path=$(sed -n "s|^\([^:]*/$name\.ko\):.*|\1|p" "$modules/modules.dep")
		module_closure "$modules/modules.dep" $path
	done | awk '!seen[$0]++' >"$run/modules"
	while read -r path; do
		cp "$modules/$path" "$root/modules/"
		basename "$path" >>"$root/modules/order"
	done <"$run/modules"
	cat >"$root/job" <<-EOF
	export VM_HERE='$here' VM_BUILD='$build' VM_BIN='$build/vm/bin' VM_KERNEL='$kernel'
	export VM_BUSYBOX='$cache/qemu/usr/bin/busybox' VM_MODULES='$modules'
	EOF
	(cd "$root" && find . | "$cache/qemu/usr/bin/busybox" cpio -o -H newc 2>/dev/null) |
		gzip -1 >"$run/initramfs.gz"
	rm -r "$root"
}

# NVMe disks, found in the guest by serial number.  Counts are in blocks and 0's based: 15 is 16.
#	name	block	controller properties			namespace properties
nvme_table='
	awupf512	512	atomic.dn=on,atomic.awun=15,atomic.awupf=15
	awupf4k	4096	atomic.dn=on,atomic.awun=15,atomic.awupf=15
	nawupf512	512	-	atomic.nawun=31,atomic.nawupf=31
	nawupf4k	4096	-	atomic.nawun=15,atomic.nawupf=15
	nabspf4k	4096	-	atomic.nawun=3,atomic.nawupf=3,atomic.nabspf=7,atomic.nabsn=7
	nabo4k	4096	-	atomic.nawun=15,atomic.nawupf=15,atomic.nabspf=15,atomic.nabsn=15,atomic.nabo=2
'
nvme_arguments() {
	local name block controller namespace
	while read -r name block controller namespace; do
		[ -n "$name" ] || continue
		[ "$controller" = - ] && controller=""
		truncate -s 512M "$run/$name.img"
		arguments+=(-drive "if=none,id=$name,file=$run/$name.img,format=raw,cache=unsafe,discard=unmap"
			-device "nvme,id=nvme-$name,serial=$name${controller:+,$controller}"
			-device "nvme-ns,bus=nvme-$name,drive=$name,logical_block_size=$block,physical_block_size=$block${namespace:+,$namespace}")
	done <<<"$nvme_table"
}

boot() {
	local qemu=$cache/qemu libraries=/usr/lib/x86_64-linux-gnu
	local arguments=(-L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios"
		-machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048
		-nodefaults -display none -no-reboot -serial "file:$run/console.log"
		-kernel "$cache/kernel-$kernel/vmlinuz" -initrd "$run/initramfs.gz"
		-append "console=ttyS0 panic=-1 oops=panic mitigations=off nowatchdog net.ifnames=0 ${VM_APPEND:-}"
		-virtfs "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"
		-virtfs "local,path=$run/out,mount_tag=out,security_model=none")
	nvme_arguments
	: >"$run/console.log"
	timeout --kill-after=5 "$limit" nice -n 10 "$qemu/usr/lib64/ld-linux-x86-64.so.2" \
		--library-path "$qemu$libraries:$qemu$libraries/pulseaudio" \
		"$qemu/usr/bin/qemu-system-x86_64" "${arguments[@]}" >"$run/qemu.log" 2>&1
}

# Everything that can be wrong with a run, each as a sentence on stdout; none: the run is good.
judge() { # qemu-exit-status
	local name count
	case $1 in
	0) ;;
	124 | 137) echo "the time limit of $limit s was hit" ;;
	*) echo "QEMU ended with status $1: $(tail -n 1 "$run/qemu.log")" ;;
	esac
	grep -a -m 1 -o 'Kernel panic.*' "$run/console.log" || true
	grep -a -m 1 -o -E '(BUG:|Oops:|general protection fault).*' "$run/console.log" || true
	[ "$(tail -n 1 "$run/out/results")" = done ] || echo "the guest did not come to its end"
	while read -r _ name; do
		count=$(grep -c -E "^(ok|not ok|skip) $name( |$)" "$run/out/results" || true)
		[ "$count" = 1 ] || echo "test $name brought $count results"
	done <"$run/out/plan"
	count=$(grep -c -E '^(ok|not ok|skip) ' "$run/out/results" || true)
	[ "$count" = "$(wc -l <"$run/out/plan")" ] ||
		echo "$count results for $(wc -l <"$run/out/plan") tests planned"
}

mkdir -p "$build/vm"
build=$(cd "$build" && pwd)
cache=$build/vm
run=$cache/run-$kernel
[ "$(uname -m)" = x86_64 ] || skip "the virtual machine is for x86-64 only."
"$here/fetch.sh" "$cache" "$kernel"
host_tools
release=$(cat "$cache/kernel-$kernel/release")
build_programs
rm -rf "$run"
mkdir -p "$run/out/log"
make_plan "$@" >"$run/out/plan"
[ -s "$run/out/plan" ] || { echo "vm: no test of that name: $*" >&2 && exit 2; }
: >"$run/out/results"
make_initramfs

echo "vm: kernel $release, $(wc -l <"$run/out/plan") tests"
started=$SECONDS
status=0
boot || status=$?
grep -v -x done "$run/out/results" || true
judge "$status" >"$run/judgement"
sed 's/^/not ok run - /' "$run/judgement"
count() {
	grep -c "^$1 " "$run/out/results" || true
}
failed=$(($(count 'not ok') + $(wc -l <"$run/judgement")))
rm -f "$run"/*.img
if [ "$failed" != 0 ]; then
	echo "vm: console log: $run/console.log, test logs: $run/out/log"
elif [ -z "$keep" ]; then
	rm -rf "$run/console.log" "$run/out/log" "$run/initramfs.gz"
fi
echo "vm: kernel $kernel in $((SECONDS - started)) s"
echo "$(count ok) passed, $failed failed, $(count skip) skipped"
[ "$failed" = 0 ]
