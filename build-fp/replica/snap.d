build-fp/replica/snap.o: replica/snap.c replica/replica.h \
 replica/lib/conf.h replica/net/front.h replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h replica/net/link.h \
 replica/store/store.h replica/tree/image.h replica/tree/tree.h \
 replica/tree/txn.h replica/tree/prep.h replica/zab/zab.h \
 replica/zab/message.h replica/lib/check.h replica/lib/log.h
replica/replica.h:
replica/lib/conf.h:
replica/net/front.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/net/link.h:
replica/store/store.h:
replica/tree/image.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/tree/prep.h:
replica/zab/zab.h:
replica/zab/message.h:
replica/lib/check.h:
replica/lib/log.h:
