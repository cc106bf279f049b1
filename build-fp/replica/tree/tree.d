build-fp/replica/tree/tree.o: replica/tree/tree.c replica/tree/tree.h \
 replica/tree/txn.h replica/lib/wire.h replica/lib/codec.h \
 replica/lib/wire_member.h replica/lib/check.h replica/lib/err.h \
 replica/tree/image_internal.h replica/tree/node.h replica/tree/session.h
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
replica/lib/err.h:
replica/tree/image_internal.h:
replica/tree/node.h:
replica/tree/session.h:
