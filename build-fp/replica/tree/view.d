build-fp/replica/tree/view.o: replica/tree/view.c replica/tree/view.h \
 replica/tree/tree.h replica/tree/txn.h replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h replica/lib/check.h
replica/tree/view.h:
replica/tree/tree.h:
replica/tree/txn.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
replica/lib/check.h:
