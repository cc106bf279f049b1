# zabfs. `make` builds into build/ (SAN=1: build-san/, with ASan and UBSan);
# V=1 shows commands, WERROR=1 makes warnings errors. FUZZ=1 is `make fuzz`'s own.

CC = gcc
PREFIX = /usr/local
PKGS_REPLICA = libevent_core libevent_extra libevent_pthreads msgpack sqlite3 libconfuse libxxhash
PKGS_FSD = fuse3 libevent_core libevent_pthreads msgpack libconfuse libxxhash
O = build$(if $(SAN),-san)$(if $(FUZZ),-fuzz)$(if $(COV),-cov)

CPPFLAGS = -D_GNU_SOURCE -I. -MMD -MP
CPPFLAGS += $(subst -I/,-isystem /,$(shell pkg-config --cflags $(PKGS_REPLICA) fuse3))
CFLAGS = -std=c17 -O2 -g -pthread -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wvla
CFLAGS += $(if $(WERROR),-Werror) $(if $(SAN),-fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer -Wno-format-truncation)
LDFLAGS = -pthread $(if $(SAN),-fsanitize=address -fsanitize=undefined)
SAN_FUZZ = -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined
CFLAGS += $(if $(FUZZ),-fsanitize=fuzzer-no-link $(SAN_FUZZ) -fno-omit-frame-pointer \
	-Wno-string-conversion -Wno-format-nonliteral)
LDFLAGS += $(if $(FUZZ),-fsanitize=fuzzer $(SAN_FUZZ))
# (a simulator's process that ends by _exit would not say what it took)
CFLAGS += $(if $(COV),--coverage -O0 -D_exit=exit)
LDFLAGS += $(if $(COV),--coverage)
LIBS_REPLICA = $(shell pkg-config --libs $(PKGS_REPLICA)) -lJudy -lbsd
LIBS_FSD = $(shell pkg-config --libs $(PKGS_FSD)) -lJudy -lbsd

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2);)

LIB_SRC = $(wildcard replica/lib/*.c)
REPLICA_SRC = $(wildcard replica/*.c replica/zab/*.c replica/tree/*.c replica/store/*.c replica/net/*.c) $(LIB_SRC)
FSD_SRC = $(wildcard fsd/*.c) $(LIB_SRC)
MOUNTD_SRC = $(wildcard mountd/*.c) replica/lib/log.c replica/lib/check.c replica/lib/daemon.c \
	replica/lib/duration.c
UNIT_SRC = $(wildcard tests/unit/*_test.c)
FUZZ_SRC = $(wildcard tests/fuzz/*_fuzz.c)
BENCH_SRC = $(filter-out tests/bench/client.c,$(wildcard tests/bench/*.c))
# What ships, but for what the simulator stands in for.
SIM_SRC = $(wildcard tests/sim/*.c replica/zab/*.c replica/tree/*.c) replica/lib/check.c \
	replica/lib/codec.c replica/lib/wire.c replica/lib/err.c replica/lib/metrics.c replica/lib/text.c \
	$(filter-out replica/main.c replica/loop.c replica/clock.c,$(wildcard replica/*.c))
SIM_WRAP = -Wl,--wrap=zab_step,--wrap=zab_init,--wrap=zab_next_zxid,--wrap=tree_apply
STORAGE_SRC = $(wildcard tests/storage/*.c)
CLUSTER_CLIENT_SRC = $(wildcard tests/cluster/client*.c)
CLUSTER_SHIM_SRC = tests/cluster/shim.c
CLUSTER_VERIFY_SRC = $(filter-out $(CLUSTER_CLIENT_SRC) $(CLUSTER_SHIM_SRC),$(wildcard tests/cluster/*.c))
CASES_SRC = $(wildcard tests/cases/*.c) $(wildcard replica/zab/*.c) replica/lib/check.c
obj = $(patsubst %.c,$(O)/%.o,$(1))

PROGRAMS = $(O)/zabfs-replica $(O)/zabfs-fsd $(O)/zabfs-mountd
UNIT = $(patsubst tests/unit/%.c,$(O)/tests/%,$(UNIT_SRC))
FUZZERS = $(patsubst tests/fuzz/%.c,$(O)/tests/%,$(FUZZ_SRC))
CLUSTER = $(O)/tests/cluster-client $(O)/tests/cluster-verify $(O)/tests/cluster-shim.so
STORAGE = $(addprefix $(O)/tests/storage-,crash fault flip)
BENCH = $(patsubst tests/bench/%.c,$(O)/tests/bench_%,$(BENCH_SRC))

all: $(PROGRAMS)
	@:

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Thousands of requests wait in fsd, each in a buffer of its own: 8 KiB for a line would be too much.
$(O)/fsd/%.o: CPPFLAGS += -DMSGPACK_SBUFFER_INIT_SIZE=256

$(O)/libreplica.a: $(call obj,$(filter-out replica/main.c,$(REPLICA_SRC)))
$(O)/libfsd.a: $(call obj,$(filter-out fsd/main.c,$(FSD_SRC)))
$(O)/%.a:
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(O)/zabfs-replica: $(call obj,$(REPLICA_SRC))
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_REPLICA)
$(O)/zabfs-fsd: $(call obj,$(FSD_SRC))
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_FSD)
$(O)/zabfs-mountd: $(call obj,$(MOUNTD_SRC))
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^

$(O)/tests/fsd_%_test: $(O)/tests/unit/fsd_%_test.o $(O)/libfsd.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_FSD) -lcmocka
# What the cluster tests' verdict is made of, but for its main.
$(O)/tests/cluster_%_test: $(O)/tests/unit/cluster_%_test.o $(call obj,$(filter-out %/verify.c,$(CLUSTER_VERIFY_SRC)))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka
# A file of the simulator alone.
$(O)/tests/sim_%_test: $(O)/tests/unit/sim_%_test.o $(O)/tests/sim/%.o $(O)/libreplica.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_REPLICA) -lcmocka
$(O)/tests/%_test: $(O)/tests/unit/%_test.o $(O)/libreplica.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_REPLICA) -lcmocka
# A main that replays inputs, or libFuzzer's. What world.o defines comes before the archives.
FUZZ_OBJ = $(call obj,tests/fuzz/world.c $(if $(FUZZ),,tests/fuzz/replay.c))
$(O)/tests/fsd_%_fuzz: $(O)/tests/fuzz/fsd_%_fuzz.o $(FUZZ_OBJ) $(O)/libfsd.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_FSD) -lcmocka
$(O)/tests/%_fuzz: $(O)/tests/fuzz/%_fuzz.o $(FUZZ_OBJ) $(O)/libreplica.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_REPLICA)
$(O)/tests/bench_%: $(O)/tests/bench/%.o $(O)/tests/bench/client.o $(O)/libreplica.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_REPLICA)

# The store's own calls to the kernel are recorded, and fail, like SQLite's.
comma := ,
WRAP = $(patsubst %,-Wl$(comma)--wrap=%,open pread pwrite fdatasync fsync unlink rename)
STORAGE_OBJ = $(call obj,$(addprefix tests/storage/,vfs.c wrap.c disk.c world.c verify.c))
$(O)/tests/storage-%: $(O)/tests/storage/%.o $(STORAGE_OBJ) $(O)/libreplica.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) $(WRAP) -o $@ $^ $(LIBS_REPLICA)

$(O)/tests/cluster-client: $(call obj,$(CLUSTER_CLIENT_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^
$(O)/tests/cluster-verify: $(call obj,$(CLUSTER_VERIFY_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^
# Without a sanitizer: what it is loaded into has its own.
$(O)/tests/cluster-shim.so: $(CLUSTER_SHIM_SRC)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -D_GNU_SOURCE $(filter-out -fsanitize%,$(CFLAGS)) -fPIC -shared -o $@ $<

$(O)/tests/zabfs-sim: $(call obj,$(SIM_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) $(SIM_WRAP) -o $@ $^ $(LIBS_REPLICA)
$(O)/tests/zabfs-cases: $(call obj,$(CASES_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^

run: all-installed
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/node run

stop:
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/node stop

# What is missing on a bare machine has to be there before pkg-config is asked: a second make.
all-installed:
	$(Q)tests/install
	$(Q)$(MAKE) --no-print-directory all

tests-build: $(PROGRAMS) $(UNIT) $(FUZZERS) $(STORAGE) $(CLUSTER) $(O)/tests/zabfs-sim $(O)/tests/zabfs-cases

test:
	$(Q)tests/install
	$(Q)$(MAKE) --no-print-directory tests-build
	$(Q)tests/lint/direction.sh $(O)
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/run

test-unit: tests-build
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/run unit

test-fs: tests-build
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/run fs

test-cluster: tests-build
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/run cluster

lint: all
	$(Q)tests/lint/direction.sh $(O)
	$(Q)tests/lint/format.sh
	$(Q)shellcheck -S warning .ci/run $$(grep -lE '^#!/bin/(ba)?sh' -r tests)
	$(Q)for page in man/*.[1-9]; do mandoc -T lint -W warning $$page || exit 1; done

# SEEDS: how many, from FIRST; SEED: that one alone, with its trace.
SEEDS = 100000
FIRST = 1
sim: $(O)/tests/zabfs-sim
	$(Q)$(O)/tests/zabfs-sim $(if $(SEED),-s $(SEED) -t,-n $(SEEDS) -f $(FIRST))

# More crashes, every call that can fail, more bits than make test takes.
storage: $(STORAGE)
	$(Q)$(O)/tests/storage-crash 60 $(if $(SEED),$(SEED),2)
	$(Q)$(O)/tests/storage-fault all
	$(Q)$(O)/tests/storage-flip 60 $(if $(SEED),$(SEED),2)

# MINUTES of random faults on a real ensemble; SEED=n repeats them.
MINUTES = 60
soak: tests-build
	$(Q)$(if $(SEED),SEED=$(SEED)) ZABFS_BUILD="$(CURDIR)/$(O)" tests/cluster/soak $(MINUTES)

# The recipes on three nodes, one of which is struck.
recipes: tests-build
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/cluster/recipes

# fsd killed under load: nobody is told, nothing is lost or done twice.
KILLS = 500
takeover: tests-build
	$(Q)KILLS=$(KILLS) $(if $(SEED),SEED=$(SEED)) ZABFS_BUILD="$(CURDIR)/$(O)" tests/run tests/fs/takeover.t

# Random operations of 64 processes on eight mounts, OPS each, beside models in memory.
OPS = 1000
model: all
	$(Q)SEED=$(or $(SEED),1) OPS=$(OPS) ZABFS_BUILD="$(CURDIR)/$(O)" tests/run tests/fs/model.t

mutants: $(O)/tests/zabfs-sim $(O)/tests/zabfs-cases
	$(Q)tests/sim/mutants

# For tests/sim/mutants: how simulator and transcripts are compiled, and linked, of what.
sim-recipe:
	@echo compile=\''$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(filter-out -W%,$(CFLAGS)) -w'\'
	@echo link=\''$(CC) $(LDFLAGS)'\' wrap=\''$(SIM_WRAP)'\' libs=\''$(LIBS_REPLICA)'\'
	@echo objects=\''$(call obj,$(SIM_SRC))'\' cases=\''$(call obj,$(CASES_SRC))'\'

# SECONDS: for each target. What it finds is in build-fuzz/found.
SECONDS = 60
fuzz:
	$(Q)tests/fuzz/run $(SECONDS)

fuzz-build: $(FUZZERS)

# Which branches of the core neither simulator nor transcripts take.
coverage:
	$(Q)$(MAKE) --no-print-directory COV=1 build-cov/tests/zabfs-sim build-cov/tests/zabfs-cases
	$(Q)tests/coverage

# Built by bench-zookeeper alone: only then its client library is there.
ZK_SRC = $(wildcard tests/bench/zookeeper/*.c)
$(O)/tests/bench/zookeeper/%.o: CPPFLAGS += -DTHREADED
$(O)/tests/bench_zookeeper: $(call obj,$(ZK_SRC))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ -lzookeeper_mt

bench: $(PROGRAMS) $(BENCH)
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/bench/run

# Side by side with ZooKeeper and etcd, which are installed first. BENCH_SIZE=quick: a look at it.
bench-zookeeper:
	$(Q)tests/install tests/bench/zookeeper/packages
	$(Q)$(MAKE) --no-print-directory bench-zookeeper-build
	$(Q)ZABFS_BUILD="$(CURDIR)/$(O)" tests/bench/zookeeper/run

bench-zookeeper-build: $(PROGRAMS) $(BENCH) $(O)/tests/bench_zookeeper

install: all
	install -d "$(DESTDIR)$(PREFIX)/sbin" "$(DESTDIR)$(PREFIX)/share/man/man5"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man7" "$(DESTDIR)$(PREFIX)/share/man/man8"
	install -m 755 $(PROGRAMS) "$(DESTDIR)$(PREFIX)/sbin"
	ln -sf zabfs-mountd "$(DESTDIR)$(PREFIX)/sbin/mount.zabfs"
	for page in man/*.[578]; do \
		install -m 644 $$page "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}"; done
	ln -sf zabfs-mountd.8 "$(DESTDIR)$(PREFIX)/share/man/man8/mount.zabfs.8"
	install -d "$(DESTDIR)$(PREFIX)/share/zabfs/recipes"
	install -m 755 $(filter-out %.c,$(wildcard tests/fs/recipes/*)) "$(DESTDIR)$(PREFIX)/share/zabfs/recipes"
	install -m 644 tests/fs/recipes/*.c "$(DESTDIR)$(PREFIX)/share/zabfs/recipes"

clean:
	$(Q)[ ! -d run ] || tests/node stop
	$(Q)rm -rf build build-san build-fuzz build-cov run

-include $(patsubst %.c,$(O)/%.d,$(REPLICA_SRC) $(FSD_SRC) $(MOUNTD_SRC) $(UNIT_SRC) $(wildcard tests/fuzz/*.c tests/bench/*.c tests/bench/zookeeper/*.c) $(SIM_SRC) $(CASES_SRC) $(STORAGE_SRC) $(CLUSTER_CLIENT_SRC) $(CLUSTER_VERIFY_SRC))

.PHONY: all all-installed run stop test test-unit test-fs test-cluster tests-build lint sim soak recipes model takeover mutants sim-recipe storage fuzz fuzz-build coverage bench bench-zookeeper \
	bench-zookeeper-build install clean
.SECONDARY:
