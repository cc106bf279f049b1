#!/bin/bash
# README.md's two sessions at a terminal, repeated as they stand there, in a folder of their own.
# examples/list names the blocks; examples/session.py types them.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

mkdir -p "$T"/{src/tests,src/build,bin,blocks,tmp}
cp "$here/tests/node" "$here/tests/free-ports" "$T/src/tests/" && cp "$build"/zabfs-* "$T/src/build/"
python3 "$here/tests/fs/examples/blocks.py" "$here" "$T/blocks" >"$T/index"
# What it does once everything is built.
cat >"$T/bin/make" <<'END2'
#!/bin/bash
for word; do
	case $word in
	N=*) export "${word?}" ;;
	*) what=$word ;;
	esac
done
exec tests/node "$what"
END2
chmod +x "$T/bin/make"
export PATH=$T/bin:$PATH ZABFS_BUILD=$T/src/build LC_ALL=C
cd "$T/src" || exit 1
unmounted() {
	! pgrep -f "zabfs-[a-z]* .*$T/tmp/b" >/dev/null
}
cleanup_first() {
	umount -ql "$T/tmp/b"
	wait_for 10 unmounted
	cd "$T/src" && timeout 60 tests/node stop
	cd / || return
}

# The blocks of a session, in their order.
blocks() {
	local how file first number
	while read -r how file first; do
		[ "$how" = "$1" ] || continue
		number=$(F=$file L=$first awk -F '\t' '$2 == ENVIRON["F"] && $3 == ENVIRON["L"] { print $1 }' "$T/index")
		echo "$T/blocks/$number"
	done <"$here/tests/fs/examples/list"
}
# session NAME: what differed.
session() {
	local files
	mapfile -t files < <(blocks "$1")
	timeout 300 python3 "$here/tests/fs/examples/session.py" "$T/tmp" "${files[@]}" 2>&1
}

make run >/dev/null
is "$(session tour)" "" "README.md's tour shows what it says"
make stop && rm -r run
# The text says that 2 leads there, which it can't before it is up to date.
two_leads() {
	echo 2 2>/dev/null >run/1/mnt/.zab/cluster/leader
}
make run N=3 >/dev/null && wait_for 30 two_leads
ok $? "three nodes, of which 2 leads"
is "$(session three)" "" "README.md's three nodes show what it says"
make stop
ok $? "and end"
for log in run/*/*.log; do
	cp "$log" "$T/${log//\//-}"
done

done_testing
