# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Shared by the steps of run.sh: TAP lines, roots of other systems, and builds.
#
# Flow: read first by run.sh.
#
# SY1 a root is made once and kept as a tar file under build/systems/; the mirror is that of this
#    machine's apt.
# SY2 an impossible step is a skip with its reason, and a failure with ATOMICIO_REQUIRE=systems.
# SY3 each passed row is noted in build/systems/table, from which table.sh makes the README's table.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
kept=$root/build/systems
work=$kept/work
failures=0
mkdir -p "$kept" "$work"

# report STATUS NAME [LOG]
report() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		[ ! -s "${3:-}" ] || tail -n 40 "$3" | sed 's/^/# /'
		echo "not ok - $2"
		failures=$((failures + 1))
	fi
	return "$1"
}
leave_out() {
	if [[ ",${ATOMICIO_REQUIRE:-}," == *,systems,* || ",${ATOMICIO_REQUIRE:-}," == *,all,* ]]; then
		echo "not ok - $1: $2"
		failures=$((failures + 1))
	else
		echo "ok - $1 # SKIP $2"
	fi
	return 1
}
# row SYSTEM WHAT: a row of the table, of what ran; two runs may go on side by side
row() {
	(
		flock 9
		touch "$kept/table"
		{ grep -vF "$1|" "$kept/table"; echo "$1|$2"; } | sort >"$kept/table.new"
		mv "$kept/table.new" "$kept/table"
	) 9>"$kept/lock"
}

mirror() {
	sed -nE 's/^URIs: *(\S+).*/\1/p; s/^deb +(\[[^]]*\] +)?(\S+).*/\2/p' \
		/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1
}
# packages NAME...: installed here, or else installed now
packages() {
	local name missing=()
	for name in "$@"; do
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
	done
	[ ${#missing[@]} = 0 ] && return
	[ "$(id -u)" = 0 ] || return 1
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
		>"$kept/install.log" 2>&1 </dev/null
}
# minbase SUITE: build/systems/SUITE.tar
minbase() {
	[ -s "$kept/$1.tar" ] && return
	packages mmdebstrap || return
	mmdebstrap --variant=minbase --include=ca-certificates "$1" "$kept/$1.new.tar" "$(mirror)" \
		>"$kept/$1.log" 2>&1 </dev/null && mv "$kept/$1.new.tar" "$kept/$1.tar"
}
# extracted SUITE ARCHITECTURE PACKAGE...: build/systems/ARCHITECTURE, only unpacked
extracted() {
	local suite=$1 architecture=$2
	shift 2
	[ -e "$kept/$architecture/usr/include/check.h" ] && return
	packages mmdebstrap || return
	rm -rf "${kept:?}/$architecture"
	mmdebstrap --variant=extract --architectures="$architecture" \
		--include="$(IFS=,; echo "$*")" "$suite" "$kept/$architecture" "$(mirror)" \
		>"$kept/$architecture.log" 2>&1 </dev/null || return
	# The compiler has a C library of its own for linking; this one is to run with.
	find "$kept/$architecture/usr/lib" -regextype egrep -regex '.*/lib(c|m|rt|dl|pthread|util)\.(a|so)' -delete
}

# sources DIRECTORY: a copy of what is in the repository's directory
sources() {
	mkdir -p "$1" && tar -C "$root" --exclude=./build --exclude=.git -cf - . | tar -C "$1" -xf -
}
# unpack SUITE: a fresh root in $place, with the sources in /src; gone again after `inside`
unpack() {
	place=$work/$1
	rm -rf "$place"
	mkdir -p "$place" && tar -C "$place" -xf "$kept/$1.tar" --exclude=./dev/* && sources "$place/src" &&
		cp /etc/resolv.conf "$place/etc/" &&
		chroot "$place" useradd -m ordinary 2>/dev/null
	[ -d "$place/home/ordinary" ] && chown -R --reference="$place/home/ordinary" "$place/src"
}
# inside ROOT USER COMMAND: run there, in a mount namespace of its own, with this machine's devices;
# $bare: with the least of them, so no terminals, and / is no mount point
inside() {
	# shellcheck disable=SC2016 # the inner shell expands them
	timeout -k 10 1800 unshare -m --propagation private bash -c '
		if [ -n "$4" ]; then
			for node in null zero full random urandom loop-control fuse; do
				touch "$1/dev/$node" && mount --bind "/dev/$node" "$1/dev/$node" || exit 99
			done
			ln -sfn /proc/self/fd "$1/dev/fd"
		else
			mount --bind "$1" "$1" && mount --rbind /dev "$1/dev" || exit 99
		fi
		mount -t proc none "$1/proc" && mount --rbind /sys "$1/sys" &&
			mount -t tmpfs none "$1/tmp" && chmod 1777 "$1/tmp" || exit 99
		if [ "$2" = root ]; then
			exec chroot "$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
				ATOMICIO_REQUIRE= bash -c "cd /src && $3"
		fi
		exec chroot "$1" setpriv --reuid "$2" --regid "$2" --init-groups env -i \
			HOME=/home/ordinary PATH=/usr/bin:/bin LC_ALL=C bash -c "cd /src && $3"
	' inside "$1" "$2" "$3" "${bare:-}" </dev/null
}

# compile NAME OPTION...: configure and build in $work/NAME
compile() {
	local name=$1
	shift
	tree=$work/$name
	rm -rf "$tree"
	{ cmake -S "$root" -B "$tree" -DATOMICIO_WERROR=ON "$@" && cmake --build "$tree" -j "$(nproc)"; } \
		>"$tree.log" 2>&1
	report $? "${name}_builds_without_a_warning" "$tree.log"
}
# tests NAME PATTERN: those of ctest in the last tree
tests() {
	(cd "$tree" && ctest -R "$2" -j "$(nproc)" --timeout 300 --output-on-failure) >"$tree.tests" 2>&1
	report $? "${1}_passes_its_tests" "$tree.tests"
}
