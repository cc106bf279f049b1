build-fp/replica/tree/session.o: replica/tree/session.c \
 replica/tree/session.h replica/tree/node.h replica/tree/tree.h \
 replica/tree/txn.h replica/lib/wire.h replica/lib/codec.h \
 replica/lib/wire_member.h replica/lib/check.h
replica/tree/session.h:
replica/tree/node.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
