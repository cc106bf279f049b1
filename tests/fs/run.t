#!/bin/bash
# `make run` and `make stop` (tests/node) in a folder of its own, with a blank in its name: what they
# print, start and leave.
. "$(dirname "$0")/lib.sh"

src="$T/the source"
mkdir -p "$src/tests" "$src/build"
# shellcheck disable=SC2154 # lib.sh sets them
cp "$here/tests/node" "$here/tests/free-ports" "$src/tests/" && cp "$here/Makefile" "$src" &&
	cp "$build"/zabfs-* "$src/build/"
cd "$src" || exit 1
node() {
	ZABFS_BUILD="$src/build" timeout 60 tests/node "$@" >"$T/out" 2>&1
}
# Where all is installed and built; not as the make that runs the tests was told to (SAN=1).
by_make() {
	env -u MAKEFLAGS -u SAN timeout 60 make -s -o all-installed "$1" >"$T/out" 2>&1
}
pids() {
	cat run/1/replica.pid run/1/mountd.pid
}
# Not kill -0: what is ended may wait for a reaper.
ended() {
	[ ! -e "/proc/$1/exe" ]
}
# What is dying is taken for alive: its program is still to be seen.
slay() {
	kill -9 "$@"
	for pid; do
		wait_for 20 ended "$pid"
	done
}
cleanup_first() {
	cd "$src" && node stop
	cd / || return
}

# What is missing is asked for at once. Nothing is installed: nobody is root.
mkdir "$T/stubs"
cat >"$T/stubs/dpkg-query" <<END
#!/bin/bash
echo asked >>"$T/asked"
printf '%s\n' 'installed make' 'config-files gcc' 'installed libc6-dev' 'installed more'
exit 1
END
printf '#!/bin/bash\necho 1000\n' >"$T/stubs/id"
chmod +x "$T/stubs/"*
printf '%s\n' gcc make libc6-dev >tests/packages
printf '%s\n' mo more >packages
cp "$here/tests/install" tests
is "$(PATH="$T/stubs:$PATH" tests/install packages 2>"$T/err"; echo "$? $(wc -l <"$T/asked")")" \
	$'installing: gcc mo\n1 1' "what is missing is said, and found out by one question"
is "$(cat "$T/err")" "tests/install: needs root for apt-get install" "  and who may not install it is told"

by_make run
is "$?" 0 "run"
is "$(ls -l run/1/*.pid run/1/*.log | wc -l)" 6 "  a pid and a log of each program"
is "$(stat -c %a run/1/data)" 700 "  the secrets in the data are nobody else's to read"

# The lines that it prints, as somebody tries them.
sed -n 's/^  //p' "$T/out" >"$T/lines"
is "$(wc -l <"$T/lines")" 5 "  five lines to try"
bash -e "$T/lines" >"$T/tried" 2>&1
is "$?" 0 "  they work as printed"
is "$(grep -E '^(hello|kind|state|me)' "$T/tried")" "hello
kind file
state connected
me" "  and show what they should"

# What the shell has open the daemons don't keep.
exec 9>run/1/mnt/inherited
slay "$(cat run/1/replica.pid)"
node run
! readlink /proc/"$(cat run/1/replica.pid)"/fd/* /proc/"$(cat run/1/mountd.pid)"/fd/* | grep -F inherited
ok $? "  nothing that the shell has open is kept"
exec 9>&-

before=$(pids)
node run
is "$?" 0 "run again"
is "$(pids)" "$before" "  leaves what runs"
slay "$(cat run/1/replica.pid)"
node run
is "$(cat run/1/mnt/try/greeting)" hello "  starts what is down"
is "$(sed -n 2p <<<"$before")" "$(cat run/1/mountd.pid)" "  and nothing else"

# Built again meanwhile: other files at the same names.
for program in "$src"/build/zabfs-*; do
	cp "$program" "$program.new" && mv "$program.new" "$program"
done
before=$(pids)
node run
is "$?" 0 "run after another build"
is "$(pids)" "$before" "  leaves what runs"
grep -q 'make stop, then make run' "$T/out"
ok $? "  and says that it is the old one"
by_make stop
is "$?" 0 "stop"
for pid in $before; do
	ended "$pid"
	ok $? "  a program of the old build is ended, too"
done
! awk '{ print $5 }' /proc/self/mountinfo | grep -qF "$T/"
ok $? "  nothing is mounted"
node stop
is "$?" 0 "stop again"

node run
is "$(cat run/1/mnt/try/greeting)" hello "the data is there after a stop"
N=3 node run
is "$? $(cat "$T/out")" "1 run: N=3: run/ was made with N=1; make stop && rm -r run removes it" "another number of nodes: refused"
node stop
cp run/1/*.log "$T"
rm -rf run

N=2 node run
is "$? $(cat "$T/out")" "1 run: N=2: an odd number of nodes, 1 to 15, is wanted" "two nodes, of which none may fail: refused"

# Three nodes.
pids3() {
	cat run/[123]/replica.pid run/[123]/mountd.pid
}
N=3 node run
is "$?" 0 "N=3: run"
is "$(ls -l run/[123]/*.pid run/[123]/*.log | wc -l)" 18 "  a pid and a log of each program"
is "$(stat -c %a run/[123]/data | uniq)" 700 "  and the data of each"
is "$(grep -Eo '127.0.0.1:[0-9]+' run/zabfs.conf | sort -u | wc -l)" 9 "  no port is twice in the configuration"
before=$(pids3)
sed -n 's/^  //p' "$T/out" | sed 's#make run#tests/node run#' >"$T/lines"
is "$(wc -l <"$T/lines")" 5 "  five lines to try"
ZABFS_BUILD="$src/build" timeout 60 bash -e "$T/lines" >"$T/tried" 2>&1
is "$?" 0 "  they work as printed"
# That an entry is gone is seen on another node a moment later.
is "$(sed -E '$ { /^me$/d }; s/^([0-9]) .*:[0-9]+$/member \1/; s/ +/ /g' "$T/tried")" "hello
again
again
# ID ROLE STATE ZXID LAG ADDRESS
member 1
member 2
member 3
greeting
me
greeting" "  and show what they should"
is "$(pids3 | sed 3d)" "$(sed 3d <<<"$before")" "run again, without N, starts what is down and nothing else"

slay "$(cat run/2/replica.pid)" "$(cat run/3/replica.pid)"
! timeout 60 bash -c 'echo late >run/1/mnt/try/greeting' 2>/dev/null
ok $? "one of three takes no write, and its session's deadline passes"
node run
sed -n 's/^replica //p' run/[123]/mnt/.zab/session >"$T/serving"
timeout 60 bash -c 'for id in 3 2 1; do echo "by $id" >run/$id/mnt/try/greeting || exit; done'
is "$? $(tr '\n' ' ' <"$T/serving")" "0 1 2 3 " "run again: when it returns each mount is served by its own replica"
echo again >run/1/mnt/try/greeting

node stop
is "$?" 0 "stop"
for pid in $before; do
	ended "$pid"
	ok $? "  which ends each program"
done
! awk '{ print $5 }' /proc/self/mountinfo | grep -qF "$T/"
ok $? "  nothing is mounted"
rm -rf run/2/data
node run
is "$?" 0 "run of three, one of them without its data"
is "$(cat run/2/mnt/try/greeting)" again "  it gets them from the others"
N=5 node run
is "$? $(cat "$T/out")" "1 run: N=5: run/ was made with N=3; make stop && rm -r run removes it" "  five of them: refused"
node stop
for id in 1 2 3; do
	for log in run/$id/*.log; do
		cp "$log" "$T/$id-${log##*/}"
	done
done

done_testing
