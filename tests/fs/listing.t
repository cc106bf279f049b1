#!/bin/bash
# A directory of 50,000: it is listed in pages, and what is there all along is listed once, whatever
# comes and goes meanwhile.
# shellcheck disable=SC2154 # lib.sh's
. "$(dirname "$0")/lib.sh"

# The timeout: a write of 1 MiB brings 23,000 lines, and each is given that long.
node_start && mount_start A -o timeout=60s && mount_start B -o timeout=60s || exit 1
cd "$T" || exit 1
N=50000

# Interleaved, so that what goes lies between what stays.
mkdir A/big
for ((i = 0; i < N / 2; i++)); do
	printf 'create /big/stay-%05d v\ncreate /big/go-%05d v\n' $i $i
done >A/.zab/stream
is "$(stat -c %s A/big)" $N "a directory of $N"

# A reader that has got some pages, and then goes on: others are gone, and as many have come.
cat >slow.py <<'END2'
import os, sys
def sent():
    for line in open("A/.zab/metrics"):
        if line.startswith('zabfs_sent_bytes_total{peer="mount"}'):
            return int(line.split()[1])
before = sent()
listing = os.scandir("A/big")
names = [next(listing).name for _ in range(10)]
print(sent() - before < 400000)
with open("B/.zab/stream", "w") as stream:
    for i in range(int(sys.argv[1]) // 2):
        stream.write("delete /big/go-%05d\ncreate /big/new-%05d v\n" % (i, i))
open("A/.zab/sync").close()
names += [entry.name for entry in listing]
print(sent() - before > 1000000)
print(sorted(n for n in names if n.startswith("stay-")) == ["stay-%05d" % i for i in range(int(sys.argv[1]) // 2)])
print(len(names) == len(set(names)))
os.scandir("A/big")
END2
is "$(python3 slow.py $N)" "True
True
True
True" "a listing begins with a page; what stays is there once in the end, nothing is twice"
is "$(find B/big -mindepth 1 | sed 's/.*\///; s/-.*//' | sort | uniq -c | tr -s ' \n' ' ')" " $((N / 2)) new $((N / 2)) stay " \
	"  and afterwards it is what it has become"

timeout 120 python3 "$here/tests/fs/listing.py" A B 300 >listed 2>&1
is "$(grep -v '^# ' listed)" "" "listings while names are made, moved, replaced and removed on two mounts"
grep '^# ' listed

# They end as fast as they came: by counted work, unit/tree_big_test.c; here that they do.
(cd B/big && printf 'delete /big/%s\n' *) >A/.zab/stream
ok $? "all are removed"
rmdir B/big
ok $? "  and the directory"

cd /
done_testing
