# SPDX-License-Identifier: MIT
# Plots of a sweep: gnuplot -e 'data="DIR"; out="DIR"; type="xfs"; label="..."; low=L; high=H' plot.gp
# All panels of latency have the range from L to H, so that one can be read against another.
#
# Flow: plots.sh writes the data files, one a filesystem, axis and quantity: the point, then
# one column a way of writing.
set encoding utf8
set datafile missing "?"
set datafile separator "\t"
set logscale xy
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set format y "%.0s%c"
array ways[5] = ["journal", "floor: the same frames and pages", "double write", \
	"XFS copy on write", "unprotected, may tear"]
set style line 1 lc rgb "#1b6ac9" lw 2.5 pt 7 ps 0.5
set style line 2 lc rgb "#9bbfe6" lw 1.5 dt 3 pt 9 ps 0.5
set style line 3 lc rgb "#d95f02" lw 1.5 pt 5 ps 0.5
set style line 4 lc rgb "#1b9e77" lw 1.5 pt 11 ps 0.5
set style line 5 lc rgb "#777777" lw 1.5 dt 2 pt 6 ps 0.5
count = type eq "xfs" ? 5 : 4
pick(i) = (type ne "xfs" && i == 4) ? 5 : i
name(axis, quantity) = sprintf("%s/%s-%s-%s.tsv", data, type, axis, quantity)

set terminal svg size 900,420 font "sans,11" background rgb "white"
set output sprintf("%s/throughput-%s.svg", out, type)
set multiplot layout 1,2 title label noenhanced
set ylabel "durable pages of 16 KiB a second"
set xlabel "pages in a batch, 1 thread"
set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256)
set xrange [0.9:300]
set key bottom right samplen 2 font ",9"
plot for [i=1:count] name("batch", "rate") using 1:(column(pick(i) + 1)) with linespoints ls pick(i) \
	title ways[pick(i)]
unset key
unset ylabel
set xlabel "threads, each one page"
set xrange [0.9:18]
set xtics (1, 2, 4, 8, 16)
plot for [i=1:count] name("threads", "rate") using 1:(column(pick(i) + 1)) with linespoints ls pick(i)
unset multiplot

set terminal svg size 1300,640 font "sans,11" background rgb "white"
set output sprintf("%s/latency-%s.svg", out, type)
set multiplot layout 2,4 title label noenhanced
set yrange [low:high]
array parts[4] = ["p50", "p90", "p99", "p999"]
do for [axis in "batch threads"] {
	set xlabel (axis eq "batch" ? "pages in a batch" : "threads")
	set xtics (1, 4, 16, 64, 256)
	set xrange [0.9:(axis eq "batch" ? 300 : 18)]
	do for [p=1:4] {
		set title (p == 4 ? "p99.9" : parts[p])
		if (p == 1) { set ylabel "microseconds a step" } else { unset ylabel }
		if (p == 1 && axis eq "batch") { set key bottom right samplen 2 font ",8" } else { unset key }
		plot for [i=1:count] name(axis, parts[p]) using 1:(column(pick(i) + 1)) with linespoints \
			ls pick(i) title ways[pick(i)]
	}
}
unset multiplot
