build-fp/replica/tree/image.o: replica/tree/image.c replica/tree/image.h \
 replica/store/store.h replica/lib/codec.h replica/tree/tree.h \
 replica/tree/txn.h replica/lib/wire.h replica/lib/wire_member.h \
 replica/lib/check.h replica/lib/err.h replica/tree/image_internal.h \
 replica/tree/session.h replica/tree/node.h
replica/tree/image.h:
replica/store/store.h:
replica/lib/codec.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/wire_member.h:
replica/lib/check.h:
replica/lib/err.h:
replica/tree/image_internal.h:
replica/tree/session.h:
replica/tree/node.h:
