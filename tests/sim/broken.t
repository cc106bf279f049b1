#!/bin/bash
# What the simulator says of members that are broken, here on purpose: the third
# proposal of a leader fails a CHECK, or never ends. The seed is told, made
# smaller, and the command that replays it fails in the same way.
set -u
cd "$(dirname "$0")/../.." || exit
san=
[[ ${ZABFS_BUILD:-build} != *-san ]] || san=SAN=1
recipe=$(make -s $san sim-recipe) || exit
eval "$recipe"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
file=replica/zab/leader_serve

# break_it NAME STATEMENT: a simulator of its own
break_it() {
	local other
	# shellcheck disable=SC2154 # the recipe's, like what follows
	other=$(tr ' ' '\n' <<<"$objects" | grep -v "/$file.o$")
	perl -0pe "s/\tzab->last_proposed = zxid;\n/\$&\t$2;\n/" $file.c >"$work/$1.c"
	# shellcheck disable=SC2154,SC2086
	$compile -c -o "$work/$1.o" "$work/$1.c" && $link $wrap -o "$work/$1" $other "$work/$1.o" $libs
}

# says NAME WHY: it does, of a seed, of the smaller one, and of that once more
says() {
	local replay
	"$work/$1" -n 1 -f 2 -j 1 >"$work/out"
	[ $? -eq 1 ] && grep -q "^seed 2: .*$2" "$work/out" &&
		grep -q "^made smaller: .*$2" "$work/out" || return 1
	replay=$(sed -n 's/^replay: //p' "$work/out")
	# In a shell of its own, which says by what it was ended.
	[[ $replay == *voters=3,observers=0,* ]] && ! (eval "$replay") >"$work/again" 2>&1 &&
		grep -q "^seed 2: .*$2" "$work/again"
}

test_one() {
	if break_it "$2" "$3" && says "$2" "$4"; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		sed 's/^/# /' "$work/out"
	fi
}

echo 1..2
test_one 1 check 'CHECK((uint32_t)zxid != 3)' 'CHECK((uint32_t)zxid != 3)'
test_one 2 crash 'if ((uint32_t)zxid == 3) *(volatile int *)0 = 1' 'Segmentation fault'
