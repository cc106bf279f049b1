build-fp/replica/tree/node.o: replica/tree/node.c replica/tree/node.h \
 replica/tree/tree.h replica/tree/txn.h replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h replica/lib/check.h \
 replica/lib/err.h
replica/tree/node.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
replica/lib/err.h:
