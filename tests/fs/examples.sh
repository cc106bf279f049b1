# shellcheck shell=bash
# For examples.t: ensembles of one that are founded, mounted and ended as the manual pages say, in a
# folder each; their paths put in the place of the pages'.
#
#   place DIR              the folder's configuration: cluster prod, member 1
#   found DIR              founded, and mounted at DIR/srv
#   end_place DIR          unmounts and ends whatever is there
#   in_place FILE DIR      an example's commands, with the folder's paths
#   commands FILE          those, without their prompts
#   notified COMMAND       runs it as systemd does, until it says that it is ready; `up` runs then, in the shell
# shellcheck disable=SC2154 # lib.sh's
places=0

place() {
	local net
	places=$((places + 1))
	net="127.$((1 + $$ / 256 % 254)).$(($$ % 256)).$((100 + places))"
	mkdir -p "$1"
	cat >"$1/zabfs.conf" <<-END2
		cluster = "prod"
		socket = "$1/run/front.sock"
		member ${2:-1} { peer = "$net:7400" front = "$net:7401" http = "$net:7402" }
	END2
}

commands() {
	sed -E 's/^[#$] //' "$1"
}

in_place() {
	commands "$1" | sed -e "s#/etc/zabfs.conf#$2/zabfs.conf#g" -e "s#/var/lib/zabfs#$2/var#g" \
		-e "s#/run/zabfs#$2/run#g" -e "s#/srv/tree#$2/srv#g" -e "s#/srv/app#$2/app#g"
}

found() {
	place "$1"
	mkdir -p "$1/run" "$1/srv" "$1/var"
	"$build/zabfs-replica" -f "$1/zabfs.conf" -i 1 -D "$1/var" -I && "$build/zabfs-mountd" -f "$1/zabfs.conf" "$1/srv"
}

nobody() {
	! pgrep -f "zabfs-[a-z]* .*$1/" >/dev/null
}
end_place() {
	local dir pid
	while read -r dir; do
		umount "$dir"
	done < <(awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo)
	for pid in $(pgrep -f "zabfs-replica .*$1/"); do
		kill "$pid"
	done
	wait_for 20 nobody "$1"
}

notified() {
	timeout 60 python3 - "$1" "$2" "$T/notify" <<'END2'
import os, socket, subprocess, sys
command, up, path = sys.argv[1:]
if os.path.exists(path):
    os.unlink(path)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
notify.settimeout(30)
service = subprocess.Popen(command, shell=True, env={**os.environ, "NOTIFY_SOCKET": path}, start_new_session=True)
print(notify.recv(1000).decode().split("\n")[0], flush=True)
subprocess.run(up, shell=True)
os.killpg(service.pid, 15)
service.wait(20)
END2
}
