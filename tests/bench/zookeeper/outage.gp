# Service over time while servers fail, as Figure 8 of ZooKeeper's paper. ARG1, ARG2: folders of
# zabfs and ZooKeeper with bins ("SECONDS WRITES-A-SECOND") and marks ("SECONDS WHAT"); ARG3: the picture.
set terminal pngcairo size 1000,640 font "DejaVu Sans,10"
set output ARG3
set multiplot layout 2,1 title "Three nodes, a writer on each, one write at a time: writes a second while servers fail"
stats ARG2."/bins" using 1 nooutput
set xrange [0:STATS_max]
set ylabel "writes a second"
set grid
unset key
set style fill solid 0.4
set title "zabfs, through the mounts"
plot ARG1."/bins" using 1:2 with filledcurves y1=0 lc rgb "#1f77b4", \
     ARG1."/marks" using 1:(0):2 with labels left rotate by 90 offset 0,0.5, \
     ARG1."/marks" using 1:(0) with points pt 7 lc rgb "black"
set title "ZooKeeper, by its C client"
set xlabel "seconds"
plot ARG2."/bins" using 1:2 with filledcurves y1=0 lc rgb "#d62728", \
     ARG2."/marks" using 1:(0):2 with labels left rotate by 90 offset 0,0.5, \
     ARG2."/marks" using 1:(0) with points pt 7 lc rgb "black"
