# Throughput against the share of reads, as Figure 5 of ZooKeeper's paper. ARG1: five blocks of
# "READ-PERCENT RATE", in the order of the titles; ARG2: the picture.
set terminal pngcairo size 900,560 font "DejaVu Sans,11"
set output ARG2
set title "Reads and writes of 1 KiB, 256 outstanding, all on one machine"
set xlabel "share of reads, %"
set ylabel "operations a second"
set logscale y
set format y "%.0s%c"
set grid
set key top left
set style data linespoints
plot ARG1 index 0 title "zabfs, 3 members" lw 2 lc rgb "#1f77b4" pt 7, \
     ARG1 index 1 title "zabfs, 1 member" lw 2 lc rgb "#1f77b4" dt 2 pt 6, \
     ARG1 index 2 title "zabfs, 3 members, system calls on their mounts" lw 2 lc rgb "#2ca02c" pt 5, \
     ARG1 index 3 title "ZooKeeper, 3 servers" lw 2 lc rgb "#d62728" pt 9, \
     ARG1 index 4 title "ZooKeeper, 1 server" lw 2 lc rgb "#d62728" dt 2 pt 8
