# SPDX-License-Identifier: MIT
# Bars of what a call costs: gnuplot -e 'data="DIR"; out="DIR"; label="..."' overhead.gp
#
# Flow: plots.sh writes the data files: a name, the figure, its goal.
set encoding utf8
set datafile separator "\t"
set style fill solid 0.8 border -1
set boxwidth 0.6
set border 3
set tics nomirror
set grid ytics lc rgb "#dddddd"
set xtics font ",8" noenhanced
set terminal svg size 900,420 font "sans,11" background rgb "white"
set output sprintf("%s/overhead.svg", out)
set multiplot layout 1,2 title label noenhanced
set yrange [0:*]
set offsets 0, 0, graph 0.2, 0
set key top left Left reverse font ",9"
set title "instructions outside the kernel"
plot data."/instructions.tsv" using 0:2:xtic(1) with boxes lc rgb "#1b6ac9" notitle, \
	"" using 0:3 with points pt 2 lc rgb "#d95f02" title "goal: at most"
set title "rate, against the raw calls"
plot data."/ratios.tsv" using 0:2:xtic(1) with boxes lc rgb "#1b6ac9" notitle, \
	"" using 0:3 with points pt 2 lc rgb "#d95f02" title "goal: at least"
unset multiplot
