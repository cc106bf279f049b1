#!/bin/bash
# Each edit of mutants.txt still fits the file that it is for, each of its parts: one that
# does not breaks no rule, and `make mutants`, which would say so, takes too long for the
# test run.
set -u
cd "$(dirname "$0")/../.." || exit
echo 1..1
misfits=$(perl -ne '
	next if /^(#|$)/;
	my ($name, $file, $edit) = split /\t/;
	open(my $in, "<", "replica/$file") or die "replica/$file: $!";
	local ($/, $_);
	$_ = <$in>;
	for my $part (split /;\s*(?=s[\/{#|])/, $edit) {
		my $before = $_;
		eval "$part; 1" or print "# $name: $@";
		print "# $name: fits nowhere: $part\n" if $_ eq $before;
	}' tests/sim/mutants.txt) || misfits="# $misfits"
if [ -z "$misfits" ]; then
	echo "ok 1 - each mutant's edit fits"
else
	echo "$misfits"
	echo "not ok 1 - each mutant's edit fits"
	exit 1
fi
